//! When each order of a replay is due.

use std::time::Duration;

use super::tickets::Ticket;

/// How fast a replay goes.
#[derive(Debug)]
pub(super) enum Pace {
    /// As fast as the orders settle.
    Full,
    /// So many orders a second, evenly.
    Rate(f64),
    /// The file's own rhythm from its first ticket on, so many times faster.
    Rhythm {
        speed: f64,
        first: jiff::civil::DateTime,
    },
}

impl Pace {
    pub(super) fn new(rate: Option<f64>, speed: Option<f64>, tickets: &[Ticket]) -> Self {
        let first = tickets.iter().map(|ticket| ticket.at).min();
        match (rate, speed, first) {
            (Some(rate), _, _) => Self::Rate(rate),
            (None, Some(speed), Some(first)) => Self::Rhythm { speed, first },
            _ => Self::Full,
        }
    }

    /// The span from the start of the replay to the moment at which this ticket is ordered; `None`: at once.
    pub(super) fn due(&self, index: usize, ticket: &Ticket) -> Option<Duration> {
        match self {
            Self::Full => None,
            #[expect(
                clippy::cast_precision_loss,
                reason = "tickets are counted in thousands"
            )]
            Self::Rate(rate) => Duration::try_from_secs_f64(index as f64 / rate).ok(),
            Self::Rhythm { speed, first } => {
                let since = ticket.at.duration_since(*first).as_secs_f64();
                Duration::try_from_secs_f64(since.max(0.0) / speed).ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(minute: i8) -> Ticket {
        Ticket {
            name: "1".to_owned(),
            at: jiff::civil::date(2016, 10, 30).at(10, minute, 0, 0),
            lines: Vec::new(),
        }
    }

    #[test]
    fn a_rate_spaces_orders_evenly() {
        let pace = Pace::new(Some(4.0), None, &[]);
        assert_eq!(pace.due(0, &ticket(0)), Some(Duration::ZERO));
        assert_eq!(pace.due(6, &ticket(0)), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn a_speed_shortens_the_files_own_rhythm() {
        let tickets = [ticket(30), ticket(45)];
        let pace = Pace::new(None, Some(60.0), &tickets);
        assert_eq!(pace.due(0, &tickets[0]), Some(Duration::ZERO));
        assert_eq!(pace.due(1, &tickets[1]), Some(Duration::from_secs(15)));
    }

    #[test]
    fn without_either_every_order_is_due_at_once() {
        assert_eq!(Pace::new(None, None, &[]).due(5, &ticket(0)), None);
    }
}
