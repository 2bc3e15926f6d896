//! What the stores of the measured system counted, from its `/metrics` (Prometheus text format 0.0.4).

use std::ops::AddAssign;

use serde::Serialize;

use super::http::Connection;

/// Sums over all services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Counted {
    /// Groups that were committed: each is one commit and one fsync.
    pub(super) commits: f64,
    pub(super) commands: f64,
    pub(super) events: f64,
}

impl AddAssign for Counted {
    fn add_assign(&mut self, other: Self) {
        self.commits += other.commits;
        self.commands += other.commands;
        self.events += other.events;
    }
}

impl Counted {
    /// `None` if the system does not tell.
    pub(super) async fn read(connection: &mut Connection, host: &str) -> Option<Self> {
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\n\r\n");
        let answer = connection.send(request.as_bytes()).await.ok()?;
        let text = std::str::from_utf8(answer.body).ok()?;
        (answer.status == 200).then(|| Self::parse(text))
    }

    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            commits: self.commits - earlier.commits,
            commands: self.commands - earlier.commands,
            events: self.events - earlier.events,
        }
    }

    pub(super) fn per(self, orders: u64) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "orders are counted in millions at most"
        )]
        let orders = orders.max(1) as f64;
        Self {
            commits: self.commits / orders,
            commands: self.commands / orders,
            events: self.events / orders,
        }
    }

    fn parse(text: &str) -> Self {
        Self {
            commits: sum(text, "pasar_store_groups_total"),
            commands: sum(text, "pasar_store_commands_total"),
            events: sum(text, "pasar_store_events_total"),
        }
    }
}

/// All samples of one counter, whatever their labels.
fn sum(text: &str, name: &str) -> f64 {
    text.lines()
        .filter_map(|line| line.strip_prefix(name))
        .filter(|rest| rest.starts_with(['{', ' ']))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_counter_are_added_over_their_labels() {
        let text = "# TYPE pasar_store_groups_total counter\n\
            pasar_store_groups_total{service=\"orders\"} 7\n\
            pasar_store_groups_total{service=\"payments\"} 3\n\
            pasar_store_groups_total_other 100\n\
            pasar_store_events_total 40\n";
        let counted = Counted::parse(text);
        assert_eq!(
            counted,
            Counted {
                commits: 10.0,
                commands: 0.0,
                events: 40.0
            }
        );
        let earlier = Counted {
            commits: 4.0,
            ..Counted::default()
        };
        assert_eq!(counted.since(earlier).per(3).commits, 2.0);
    }
}
