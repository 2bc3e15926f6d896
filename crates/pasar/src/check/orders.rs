//! Each order against its reservation, its payment and the provider's books, in both directions.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use pasar_store::{
    clock::{Clock as _, SystemClock},
    fault::Fault,
    inspect::Inspector,
    tx::Tx,
};
use pasar_types::id::{Id, Kind, OrderId, PaymentId};

use super::{
    case::Case,
    databases::Shop,
    judge::GRACE,
    pause,
    report::{Finding, Report, Rule},
    tables::{inventory, orders, payments, row, sandbox},
    work::Work,
};

const PAGE: i64 = 500;

pub(super) fn check(shop: &Shop, patience: Duration, report: &mut Report) -> Result<(), Fault> {
    let mut suspects = BTreeSet::new();
    first_look(shop, &mut suspects, report)?;
    find_orphans(shop, &mut suspects)?;
    second_look(shop, suspects, patience, report)
}

/// Looks at every order; what seems wrong may only be in flight.
fn first_look(
    shop: &Shop,
    suspects: &mut BTreeSet<OrderId>,
    report: &mut Report,
) -> Result<(), Fault> {
    let running = report.is_running();
    each_id(&shop.orders, orders::ids, |id| {
        let case = Case::read(shop, id)?;
        report.looked_at(Rule::Settled, 1);
        report.looked_at(Rule::Reservations, usize::from(case.reservation.is_some()));
        report.looked_at(Rule::Payments, usize::from(case.payment.is_some()));
        report.looked_at(Rule::Provider, usize::from(case.charge.is_some()));
        report.looked_at(Rule::CapturedOnce, usize::from(case.charge.is_some()));
        if !case.judge(running, SystemClock.now()).is_empty() {
            suspects.insert(id);
        }
        Ok(())
    })
}

/// Finds what other services hold for orders that do not exist.
fn find_orphans(shop: &Shop, suspects: &mut BTreeSet<OrderId>) -> Result<(), Fault> {
    let mut suspect = |id: OrderId| {
        let known = shop.orders.read(|tx| orders::order(tx, id))?.is_some();
        if !known {
            suspects.insert(id);
        }
        Ok(())
    };
    let order_of = |payment: PaymentId| OrderId::from_uuid(payment.uuid());
    each_id(&shop.inventory, inventory::reservation_ids, &mut suspect)?;
    each_id(&shop.payments, payments::ids, |id| suspect(order_of(id)))?;
    if let Some(books) = &shop.books {
        each_id(books, sandbox::references, |id| suspect(order_of(id)))?;
    }
    Ok(())
}

fn each_id<K: Kind>(
    database: &Inspector,
    page: impl Fn(&Tx<'_>, Id<K>, i64) -> Result<Vec<Id<K>>, Fault>,
    mut each: impl FnMut(Id<K>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut after = row::first();
    loop {
        let ids = database.read(|tx| page(tx, after, PAGE))?;
        let Some(&last) = ids.last() else {
            return Ok(());
        };
        after = last;
        ids.into_iter().try_for_each(&mut each)?;
    }
}

/// What a suspect turned out to be.
enum Verdict {
    Fine,
    Wrong(Vec<Finding>),
    /// Work for it is waiting for its time.
    UnderWay(Work),
    /// It changes: look again.
    Moving(Work),
}

fn second_look(
    shop: &Shop,
    mut suspects: BTreeSet<OrderId>,
    patience: Duration,
    report: &mut Report,
) -> Result<(), Fault> {
    let until = Instant::now() + patience;
    loop {
        let last = !report.is_running() || Instant::now() >= until;
        for id in std::mem::take(&mut suspects) {
            match look_again(shop, id, report.is_running())? {
                Verdict::Fine => {}
                Verdict::Wrong(findings) => findings.into_iter().for_each(|one| report.found(one)),
                Verdict::UnderWay(work) => report.in_flight(id.to_string(), work.why()),
                Verdict::Moving(work) if last => {
                    report.in_flight(id.to_string(), work.why());
                }
                Verdict::Moving(_) => {
                    suspects.insert(id);
                }
            }
        }
        if suspects.is_empty() {
            return Ok(());
        }
        pause();
    }
}

/// Reads everything twice. If both are the same, all of it stood so at one moment in between; if
/// nothing was under way then, what is wrong is wrong.
fn look_again(shop: &Shop, id: OrderId, running: bool) -> Result<Verdict, Fault> {
    let look = || Ok::<_, Fault>((Case::read(shop, id)?, Work::read(shop, id)?));
    let (case, work) = look()?;
    let now = SystemClock.now();
    let mut findings = case.judge(running, now);
    if findings.is_empty() {
        return Ok(Verdict::Fine);
    }
    let unchanged = look()? == (case, work.clone());
    if !unchanged || !work.behind.is_empty() {
        return Ok(Verdict::Moving(work));
    }
    if work.is_quiet() {
        return Ok(Verdict::Wrong(findings));
    }
    // Only what no effect in flight explains.
    findings.retain(|finding| finding.rule == Rule::CapturedOnce);
    if let Some(effect) = work
        .effects
        .iter()
        .find(|effect| running && now.since(effect.due) > GRACE)
    {
        findings.push(Finding {
            rule: Rule::Settled,
            row: format!("payments effect {} of {id}", effect.kind),
            what: format!("it was due at {}", effect.due),
        });
    }
    Ok(if !findings.is_empty() {
        Verdict::Wrong(findings)
    } else if running && work.effects.iter().any(|effect| effect.due <= now) {
        Verdict::Moving(work)
    } else {
        Verdict::UnderWay(work)
    })
}
