//! What a command did, as text for an inline snapshot. Ids are shown as short names in the order in
//! which they appear, so that a snapshot does not change with the seed.

use std::{fmt, sync::Arc};

use pasar_store::{fault::Fault, feed::FeedEvent};

use crate::names::Names;

/// Outcome, events and changed rows of one command.
#[derive(Debug)]
pub struct Checked<T> {
    pub outcome: Result<T, Fault>,
    pub events: Vec<Arc<FeedEvent>>,
    /// `+ table column=value ..` and `- table ..`
    pub changes: Vec<String>,
}

impl<T: fmt::Debug> fmt::Display for Checked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Names::default();
        let mut line = |text: &str| -> fmt::Result { writeln!(f, "{}", names.shorten(text)) };
        match &self.outcome {
            Ok(outcome) => line(&format!("{outcome:?}"))?,
            Err(fault) => line(&format!("fault: {fault}"))?,
        }
        for event in &self.events {
            line(&format!(
                "event {} {} v{} {}",
                event.event_type, event.key, event.keyversion, event.data
            ))?;
            if let Some(private) = &event.private {
                line(&format!("  private {private}"))?;
            }
        }
        self.changes.iter().try_for_each(|change| line(change))
    }
}
