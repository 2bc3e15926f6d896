//! Stock as a person would keep it on paper: what each step must come to.

use std::collections::{BTreeMap, BTreeSet};

use super::{Outcome, SKUS, Step};

/// Stock as a person would keep it on paper.
#[derive(Default)]
pub(super) struct Model {
    pub(super) shelf: BTreeMap<usize, Shelf>,
    pub(super) orders: BTreeMap<u8, Paper>,
    pub(super) refunds: BTreeSet<(u8, u8)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shelf {
    pub(super) untracked: bool,
    pub(super) received: i64,
    pub(super) written_off: i64,
    pub(super) sold: i64,
    pub(super) reserved: i64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Paper {
    pub(super) state: &'static str,
    pub(super) expired: bool,
    pub(super) lines: BTreeMap<usize, i64>,
    pub(super) back: BTreeMap<usize, i64>,
}

impl Shelf {
    pub(super) fn on_hand(self) -> i64 {
        self.received - self.written_off - self.sold
    }
}

impl Model {
    fn shelf(&mut self, sku: usize) -> &mut Shelf {
        self.shelf.entry(sku).or_default()
    }

    pub(super) fn run(&mut self, step: &Step) -> Outcome {
        match step {
            Step::Receive(sku, quantity) => {
                let shelf = self.shelf(*sku);
                if shelf.untracked {
                    return "not counted".into();
                }
                shelf.received += quantity;
                format!("on hand {}", shelf.on_hand())
            }
            Step::Count(sku, count) => self.set(*sku, |_| *count),
            Step::WriteOff(sku, quantity) => self.set(*sku, |on_hand| on_hand - quantity),
            Step::Track(sku, on) => {
                self.shelf(*sku).untracked = !on;
                "put".into()
            }
            Step::Reserve(order, lines) => self.reserve(*order, lines),
            Step::Sell(order) => self.sell(*order),
            Step::Release(order, restock) => self.release(*order, *restock),
            Step::Expire(order) => self.expire(*order),
            Step::Return(order, refund, lines) => self.take_back(*order, *refund, lines),
        }
    }

    fn set(&mut self, sku: usize, wanted: impl Fn(i64) -> i64) -> Outcome {
        let shelf = self.shelf(sku);
        if shelf.untracked {
            return "not counted".into();
        }
        let wanted = wanted(shelf.on_hand());
        if wanted < shelf.reserved {
            return "below reserved".into();
        }
        shelf.written_off += shelf.on_hand() - wanted;
        format!("on hand {wanted}")
    }

    fn reserve(&mut self, order: u8, lines: &[(usize, i64)]) -> Outcome {
        if self.orders.contains_key(&order) {
            return "already decided".into();
        }
        let mut wanted: BTreeMap<usize, i64> = BTreeMap::new();
        for (sku, quantity) in lines {
            *wanted.entry(*sku).or_default() += quantity;
        }
        wanted.retain(|sku, _| !self.shelf(*sku).untracked);
        let mut short = Vec::new();
        for (sku, quantity) in &wanted {
            let shelf = self.shelf(*sku);
            let available = shelf.on_hand() - shelf.reserved;
            if available < *quantity {
                short.push(format!("{} {quantity}>{available}", SKUS[*sku]));
            }
        }
        if !short.is_empty() {
            let paper = Paper {
                state: "refused",
                ..Paper::default()
            };
            self.orders.insert(order, paper);
            return format!("short {}", short.join(","));
        }
        for (sku, quantity) in &wanted {
            self.shelf(*sku).reserved += quantity;
        }
        let paper = Paper {
            state: "held",
            lines: wanted,
            ..Paper::default()
        };
        self.orders.insert(order, paper);
        "reserved".into()
    }

    fn sell(&mut self, order: u8) -> Outcome {
        let Some(paper) = self.orders.get(&order).cloned() else {
            return "fault".into();
        };
        match paper.state {
            "held" => {
                for (sku, quantity) in &paper.lines {
                    self.shelf(*sku).reserved -= quantity;
                }
            }
            "expired" => {
                let there = paper.lines.iter().all(|(sku, quantity)| {
                    let shelf = self.shelf(*sku);
                    shelf.on_hand() - shelf.reserved >= *quantity
                });
                if !there {
                    return "fault".into();
                }
            }
            "sold" | "kept" | "restocked" => return "already sold".into(),
            _ => return "fault".into(),
        }
        for (sku, quantity) in &paper.lines {
            self.shelf(*sku).sold += quantity;
        }
        self.orders.get_mut(&order).unwrap().state = "sold";
        "sold".into()
    }

    fn release(&mut self, order: u8, restock: bool) -> Outcome {
        let paper = self.orders.entry(order).or_default().clone();
        let (next, answer) = match paper.state {
            "held" => {
                for (sku, quantity) in &paper.lines {
                    self.shelf(*sku).reserved -= quantity;
                }
                ("released", "Reservation")
            }
            "" | "refused" | "expired" => ("released", "Nothing"),
            "sold" if restock => {
                for (sku, quantity) in &paper.lines {
                    let left = quantity - paper.back.get(sku).unwrap_or(&0);
                    self.shelf(*sku).sold -= left;
                }
                ("restocked", "SaleRestocked")
            }
            "sold" => ("kept", "SaleKept"),
            _ => return "already released".into(),
        };
        self.orders.get_mut(&order).unwrap().state = next;
        answer.into()
    }

    fn expire(&mut self, order: u8) -> Outcome {
        let Some(paper) = self
            .orders
            .get_mut(&order)
            .filter(|paper| paper.state == "held")
        else {
            return "not held".into();
        };
        paper.state = "expired";
        paper.expired = true;
        for (sku, quantity) in paper.lines.clone() {
            self.shelf(sku).reserved -= quantity;
        }
        "expired".into()
    }

    fn take_back(&mut self, order: u8, refund: u8, lines: &[(usize, i64)]) -> Outcome {
        if self.refunds.contains(&(order, refund)) {
            return "already returned".into();
        }
        let Some(paper) = self
            .orders
            .get_mut(&order)
            .filter(|paper| paper.state == "sold")
        else {
            return "nothing to return".into();
        };
        let mut units = 0;
        let mut back = Vec::new();
        for (sku, quantity) in lines {
            let sold = paper.lines.get(sku).copied().unwrap_or(0);
            let returned = paper.back.entry(*sku).or_default();
            let taken = (*quantity).min(sold - *returned);
            *returned += taken;
            units += taken;
            back.push((*sku, taken));
        }
        if units == 0 {
            return "nothing to return".into();
        }
        for (sku, taken) in back {
            self.shelf(sku).sold -= taken;
        }
        self.refunds.insert((order, refund));
        format!("returned {units}")
    }
}
