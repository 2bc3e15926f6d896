//! The rules of stock: what a level allows, and what may become of a reservation. No transaction.

use pasar_chassis::problem::FieldError;
use pasar_contracts::events::inventory::ReleaseKind;
use pasar_types::{quantity::Quantity, sku::Sku};
use serde::{Deserialize, Serialize};

use crate::field;

/// Units that may be on hand at most; far from where sums overflow.
pub const MAX_ON_HAND: i64 = 1_000_000_000_000;

/// Units of one product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub sku: Sku,
    pub quantity: i64,
}

/// How much there is of a product at a location, and how much of it orders hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    pub on_hand: i64,
    pub reserved: i64,
}

/// What somebody found at the shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjustment {
    /// So many are there.
    Count(i64),
    /// So many are lost.
    WriteOff(Quantity),
}

/// What the shelf would hold is less than what orders were promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BelowReserved;

/// What became of an order's reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReservationState {
    /// Units are held for the order.
    Held,
    /// Something ran short; nothing is held.
    Refused,
    /// The units are sold.
    Sold,
    /// Sold, then cancelled: the goods are used up.
    SaleKept,
    /// Sold, then cancelled: the goods are back.
    Restocked,
    /// Given back, or refused in advance.
    Released,
    /// Taken back by the safety net.
    Expired,
}

/// What `order.confirmed` has to do to a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sale {
    /// What is held is sold.
    Consume,
    /// It expired before: the units must be had once more.
    TakeAgain,
    /// It was done before.
    Done,
    /// Nothing was ever held: orders cannot have confirmed this.
    Impossible,
}

impl Adjustment {
    /// A count that can be one.
    pub fn counted(on_hand: i64) -> Result<Self, FieldError> {
        if (0..=MAX_ON_HAND).contains(&on_hand) {
            Ok(Self::Count(on_hand))
        } else {
            Err(field::wrong(
                "on_hand",
                format!("expected 0 to {MAX_ON_HAND}"),
            ))
        }
    }
}

impl Level {
    #[must_use]
    pub const fn available(self) -> i64 {
        self.on_hand - self.reserved
    }

    /// What is on hand after an adjustment.
    pub const fn adjusted(self, adjustment: Adjustment) -> Result<i64, BelowReserved> {
        let on_hand = match adjustment {
            Adjustment::Count(on_hand) => on_hand,
            Adjustment::WriteOff(quantity) => self.on_hand - quantity.get(),
        };
        if on_hand < self.reserved {
            Err(BelowReserved)
        } else {
            Ok(on_hand)
        }
    }
}

impl ReservationState {
    pub const ALL: [Self; 7] = [
        Self::Held,
        Self::Refused,
        Self::Sold,
        Self::SaleKept,
        Self::Restocked,
        Self::Released,
        Self::Expired,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Refused => "refused",
            Self::Sold => "sold",
            Self::SaleKept => "sale_kept",
            Self::Restocked => "restocked",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }

    /// What `order.confirmed` does.
    #[must_use]
    pub const fn on_confirmed(self) -> Sale {
        match self {
            Self::Held => Sale::Consume,
            Self::Expired => Sale::TakeAgain,
            Self::Sold | Self::SaleKept | Self::Restocked => Sale::Done,
            Self::Refused | Self::Released => Sale::Impossible,
        }
    }

    /// What `order.cancelling` undoes, and the state after it. `None` if it was answered before.
    #[must_use]
    pub const fn on_cancelling(self, restock: bool) -> Option<(ReleaseKind, Self)> {
        match self {
            Self::Held => Some((ReleaseKind::Reservation, Self::Released)),
            Self::Refused | Self::Expired => Some((ReleaseKind::Nothing, Self::Released)),
            Self::Sold if restock => Some((ReleaseKind::SaleRestocked, Self::Restocked)),
            Self::Sold => Some((ReleaseKind::SaleKept, Self::SaleKept)),
            Self::SaleKept | Self::Restocked | Self::Released => None,
        }
    }
}

/// One line a product, in the order of SKUs: the order in which rows are locked.
#[must_use]
pub fn merged(lines: impl IntoIterator<Item = Line>) -> Vec<Line> {
    let mut lines: Vec<Line> = lines.into_iter().collect();
    lines.sort_unstable_by(|a, b| a.sku.cmp(&b.sku));
    lines.dedup_by(|next, kept| {
        let same = next.sku == kept.sku;
        if same {
            kept.quantity += next.quantity;
        }
        same
    });
    lines
}

/// What of the sold lines is not back yet.
#[must_use]
pub fn outstanding(sold: &[Line], returned: &[Line]) -> Vec<Line> {
    let left = sold.iter().map(|line| Line {
        sku: line.sku.clone(),
        quantity: line.quantity - units_of(returned, &line.sku),
    });
    left.filter(|line| line.quantity > 0).collect()
}

/// What of the lines that somebody brings back may come back. Both sides merged.
#[must_use]
pub fn returnable(asked: &[Line], outstanding: &[Line]) -> Vec<Line> {
    let taken = asked.iter().map(|line| Line {
        sku: line.sku.clone(),
        quantity: line.quantity.min(units_of(outstanding, &line.sku)),
    });
    taken.filter(|line| line.quantity > 0).collect()
}

fn units_of(lines: &[Line], sku: &Sku) -> i64 {
    lines
        .iter()
        .filter(|line| line.sku == *sku)
        .map(|line| line.quantity)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sku: &str, quantity: i64) -> Line {
        Line {
            sku: sku.parse().unwrap(),
            quantity,
        }
    }

    #[test]
    fn lines_of_one_product_become_one_in_the_order_of_skus() {
        let lines = merged([line("b", 2), line("a", 1), line("b", 3), line("B", 4)]);
        assert_eq!(lines, [line("B", 4), line("a", 1), line("b", 5)]);
        assert!(merged([]).is_empty());
    }

    #[test]
    fn an_adjustment_never_goes_below_what_orders_hold() {
        let level = Level {
            on_hand: 5,
            reserved: 2,
        };
        let write_off = |count| Adjustment::WriteOff(Quantity::new(count).unwrap());
        assert_eq!(level.adjusted(Adjustment::Count(2)), Ok(2));
        assert_eq!(level.adjusted(Adjustment::Count(1)), Err(BelowReserved));
        assert_eq!(level.adjusted(write_off(3)), Ok(2));
        assert_eq!(level.adjusted(write_off(4)), Err(BelowReserved));
        assert_eq!(Level::default().adjusted(write_off(1)), Err(BelowReserved));
        assert_eq!(Level::default().adjusted(Adjustment::Count(0)), Ok(0));
    }

    #[test]
    fn a_count_is_nothing_or_more_and_far_from_overflow() {
        for on_hand in [0, MAX_ON_HAND] {
            assert_eq!(Adjustment::counted(on_hand), Ok(Adjustment::Count(on_hand)));
        }
        for on_hand in [-1, i64::MIN, MAX_ON_HAND + 1, i64::MAX] {
            assert_eq!(Adjustment::counted(on_hand).unwrap_err().field, "on_hand");
        }
    }

    #[test]
    fn only_what_was_sold_comes_back_and_only_once() {
        let sold = [line("a", 3), line("b", 1)];
        let left = outstanding(&sold, &[line("a", 1), line("a", 1)]);
        assert_eq!(left, [line("a", 1), line("b", 1)]);
        let back = returnable(&[line("a", 5), line("c", 1)], &left);
        assert_eq!(back, [line("a", 1)]);
    }

    /// Every state against every foreign event: what is answered once is not answered again.
    #[test]
    fn a_reservation_ends_once_whatever_comes_again() {
        for state in ReservationState::ALL {
            for restock in [false, true] {
                if let Some((_, next)) = state.on_cancelling(restock) {
                    assert_eq!(next.on_cancelling(restock), None, "{state:?}");
                    assert!(
                        matches!(next.on_confirmed(), Sale::Done | Sale::Impossible),
                        "{state:?}"
                    );
                }
            }
        }
    }
}
