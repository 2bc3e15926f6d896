//! What an order's lines cost. Prices include their tax.

use std::collections::BTreeMap;

use pasar_contracts::{
    api::orders::{MAX_LINES, OrderLine, OrderLineInput},
    events::orders::PlacedLine,
};
use pasar_types::{
    money::{Currency, InvalidMoney, Money, TaxRate},
    quantity::Quantity,
    sku::Sku,
};
use serde::{Deserialize, Serialize};

/// A line as it was priced when the order was placed, and as it is stored. The unit price is in minor
/// units of the order's currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub sku: Sku,
    pub name: String,
    pub quantity: Quantity,
    pub unit_price: i64,
    pub tax_rate: TaxRate,
}

/// What some lines cost together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    pub total: Money,
    /// The part of the total that is tax.
    pub tax: Money,
}

/// Why lines cannot be an order's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLines {
    #[error("expected 1 to {MAX_LINES} lines")]
    Count,
    #[error("the quantities of {0} add up to more than a line may have")]
    Quantity(Sku),
}

/// Adds up lines of the same product; each stays where it first stood.
pub fn merge(lines: &[OrderLineInput]) -> Result<Vec<OrderLineInput>, InvalidLines> {
    if lines.is_empty() || lines.len() > MAX_LINES {
        return Err(InvalidLines::Count);
    }
    let mut merged: Vec<OrderLineInput> = Vec::with_capacity(lines.len());
    let mut places: BTreeMap<&Sku, usize> = BTreeMap::new();
    for line in lines {
        if let Some(&place) = places.get(&line.sku) {
            let sum = merged[place].quantity.get() + line.quantity.get();
            merged[place].quantity =
                Quantity::new(sum).map_err(|_| InvalidLines::Quantity(line.sku.clone()))?;
        } else {
            places.insert(&line.sku, merged.len());
            merged.push(line.clone());
        }
    }
    Ok(merged)
}

/// The sum of lines; the tax is that of each line, rounded by itself.
pub fn totals(lines: &[Line], currency: Currency) -> Result<Totals, InvalidMoney> {
    let zero = Money::zero(currency);
    lines.iter().try_fold(
        Totals {
            total: zero,
            tax: zero,
        },
        |sum, line| {
            let total = line.unit_price(currency).checked_mul(line.quantity.get())?;
            Ok(Totals {
                total: sum.total.checked_add(total)?,
                tax: sum.tax.checked_add(total.tax_included(line.tax_rate))?,
            })
        },
    )
}

impl Line {
    const fn unit_price(&self, currency: Currency) -> Money {
        Money::new(self.unit_price, currency)
    }

    /// What so many of the line's product cost. Never out of range for a part of a placed order.
    #[must_use]
    pub const fn price_of(&self, quantity: Quantity, currency: Currency) -> Money {
        Money::new(self.unit_price * quantity.get(), currency)
    }

    #[must_use]
    pub fn placed(&self, currency: Currency) -> PlacedLine {
        PlacedLine {
            sku: self.sku.clone(),
            quantity: self.quantity,
            unit_price: self.unit_price(currency),
            tax_rate: self.tax_rate,
            total: self.price_of(self.quantity, currency),
        }
    }

    #[must_use]
    pub fn shown(self, currency: Currency) -> OrderLine {
        let total = self.price_of(self.quantity, currency);
        OrderLine {
            unit_price: self.unit_price(currency),
            tax: total.tax_included(self.tax_rate),
            total,
            sku: self.sku,
            name: self.name,
            quantity: self.quantity,
            tax_rate: self.tax_rate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(sku: &str, quantity: i64) -> OrderLineInput {
        OrderLineInput {
            sku: sku.parse().unwrap(),
            quantity: Quantity::new(quantity).unwrap(),
        }
    }

    fn priced(quantity: i64, unit_price: i64, tax: i64) -> Line {
        Line {
            sku: "tea".parse().unwrap(),
            name: "Tea".to_owned(),
            quantity: Quantity::new(quantity).unwrap(),
            unit_price,
            tax_rate: TaxRate::from_basis_points(tax).unwrap(),
        }
    }

    #[test]
    fn lines_of_the_same_product_become_one_where_the_first_stood() {
        let lines = [wanted("tea", 1), wanted("bun", 2), wanted("tea", 3)];
        assert_eq!(merge(&lines).unwrap(), [wanted("tea", 4), wanted("bun", 2)]);
    }

    #[test]
    fn no_lines_too_many_lines_and_too_large_sums_are_refused() {
        assert_eq!(merge(&[]), Err(InvalidLines::Count));
        assert_eq!(
            merge(&vec![wanted("tea", 1); 101]),
            Err(InvalidLines::Count)
        );
        assert!(merge(&vec![wanted("tea", 1); 100]).is_ok());
        let huge = [wanted("tea", 1_000_000), wanted("tea", 1)];
        assert!(matches!(merge(&huge), Err(InvalidLines::Quantity(_))));
    }

    #[test]
    fn the_tax_is_rounded_half_up_line_by_line() {
        // 11 % of 6 minor units is 0.59 and rounds to 1, line by line: 2, not round(1.19) = 1.
        let totals = totals(&[priced(1, 6, 1100), priced(2, 3, 1100)], Currency::IDR).unwrap();
        assert_eq!(totals.total.amount_minor, 12);
        assert_eq!(totals.tax.amount_minor, 2);
    }

    #[test]
    fn a_total_beyond_all_amounts_is_an_error_and_no_overflow() {
        let lines = [priced(1_000_000, 1_000_000_000_000_000, 0)];
        assert_eq!(totals(&lines, Currency::IDR), Err(InvalidMoney::OutOfRange));
    }
}
