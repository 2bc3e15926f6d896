//! The ledger adds up to zero, and holds for each payment what the payment's row says.

use std::collections::HashMap;

use pasar_payments::ledger;
use pasar_store::fault::Fault;
use pasar_types::id::{LedgerTransactionId, PaymentId};

use super::{
    databases::Shop,
    report::{Report, Rule},
    tables::{
        payments::{self, Entry, Payment},
        row,
    },
};

const PAGE: i64 = 5_000;
/// Payments whose sums are held in memory at once; the ledger is read once for each so many.
const PAYMENTS_AT_ONCE: usize = 100_000;

#[derive(Default)]
struct Booked {
    captured: i64,
    refunded: i64,
}

pub(super) fn check(shop: &Shop, report: &mut Report) -> Result<(), Fault> {
    let last = shop.payments.read(payments::last_entry)?;
    check_balance(shop, last, report)?;
    let mut after = row::first();
    loop {
        // One snapshot of the payments and of the ledger's end: entries are only ever added, so
        // those up to that end are what these rows must agree with.
        let (some, last) = shop.payments.read(|tx| {
            let mut some = Vec::new();
            let mut from = after;
            while some.len() < PAYMENTS_AT_ONCE {
                let page = payments::payments(tx, from, PAGE)?;
                let Some(last) = page.last() else { break };
                from = last.id;
                some.extend(page);
            }
            Ok((some, payments::last_entry(tx)?))
        })?;
        let before = after;
        let upto = some.last().map(|payment| payment.id);
        check_payments(shop, &some, (before, upto), last, report)?;
        let Some(upto) = upto else { return Ok(()) };
        after = upto;
    }
}

/// Each transaction is zero in each currency.
fn check_balance(shop: &Shop, last: i64, report: &mut Report) -> Result<(), Fault> {
    let mut open: HashMap<(LedgerTransactionId, String), i64> = HashMap::new();
    each_entry(shop, last, |entry| {
        report.looked_at(Rule::LedgerBalance, 1);
        let key = (entry.transaction, entry.currency);
        let sum = open.remove(&key).unwrap_or_default() + entry.amount;
        // A transaction that is level is forgotten, so that only the uneven ones take memory.
        if sum != 0 {
            open.insert(key, sum);
        }
    })?;
    let mut uneven: Vec<_> = open.into_iter().collect();
    uneven.sort();
    for ((transaction, currency), sum) in uneven {
        let row = format!("payments ledger_entry {transaction}");
        report.wrong(
            Rule::LedgerBalance,
            row,
            format!("its entries add up to {sum} {currency}"),
        );
    }
    Ok(())
}

/// Payments with ids after one and up to another, `None` being the end of them all.
fn check_payments(
    shop: &Shop,
    some: &[Payment],
    (after, upto): (PaymentId, Option<PaymentId>),
    last: i64,
    report: &mut Report,
) -> Result<(), Fault> {
    let mut booked: HashMap<PaymentId, Booked> = some
        .iter()
        .map(|payment| (payment.id, Booked::default()))
        .collect();
    let mut strangers = Vec::new();
    each_entry(shop, last, |entry| {
        let concerned = entry.payment > after && upto.is_none_or(|upto| entry.payment <= upto);
        match booked.get_mut(&entry.payment) {
            Some(booked) => book(booked, &entry),
            None if concerned => strangers.push(entry),
            None => {}
        }
    })?;
    for Entry {
        sequence, payment, ..
    } in strangers
    {
        let row = format!("payments ledger_entry {sequence}");
        report.wrong(Rule::LedgerPayments, row, format!("there is no {payment}"));
    }
    report.looked_at(Rule::LedgerPayments, some.len());
    for payment in some {
        let Booked { captured, refunded } = booked.remove(&payment.id).unwrap_or_default();
        if (captured, refunded) != (payment.captured, payment.refunded) {
            let what = format!(
                "captured {} and refunded {}; the ledger holds {captured} and {refunded}",
                payment.captured, payment.refunded
            );
            report.wrong(
                Rule::LedgerPayments,
                format!("payments payment {}", payment.id),
                what,
            );
        }
    }
    Ok(())
}

/// One side of each transaction tells what it was.
fn book(booked: &mut Booked, entry: &Entry) {
    if entry.account == ledger::SALES {
        booked.captured -= entry.amount;
    } else if entry.account == ledger::REFUNDS && entry.refund.is_some() {
        booked.refunded += entry.amount;
    }
}

fn each_entry(shop: &Shop, last: i64, mut each: impl FnMut(Entry)) -> Result<(), Fault> {
    let mut after = 0;
    loop {
        let page = shop
            .payments
            .read(|tx| payments::entries(tx, after, last, PAGE))?;
        let Some(end) = page.last() else {
            return Ok(());
        };
        after = end.sequence;
        page.into_iter().for_each(&mut each);
    }
}
