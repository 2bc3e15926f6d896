//! How many of several leases an instance may hold, and how many it does.

use std::sync::Arc;

use tokio::sync::watch;

/// Cheap to clone; all clones are one count.
#[derive(Clone)]
pub(super) struct Part(Arc<watch::Sender<Counts>>);

#[derive(Clone, Copy)]
struct Counts {
    /// What falls to this instance.
    quota: usize,
    held: usize,
}

/// One that is held, or about to be.
pub(super) struct Claim {
    part: Part,
    counted: bool,
}

impl Part {
    pub(super) fn new(quota: usize) -> Self {
        Self(Arc::new(watch::Sender::new(Counts { quota, held: 0 })))
    }

    /// Of a lease that is not shared out: whoever gets it has it.
    pub(super) fn whole() -> Self {
        Self::new(usize::MAX)
    }

    pub(super) fn set_quota(&self, quota: usize) {
        self.0.send_if_modified(|counts| {
            let changed = counts.quota != quota;
            counts.quota = quota;
            changed
        });
    }

    pub(super) fn has_room(&self) -> bool {
        let counts = self.0.borrow();
        counts.held < counts.quota
    }

    /// One more, if it falls to this instance.
    pub(super) fn claim(&self) -> Option<Claim> {
        let claimed = self.0.send_if_modified(|counts| {
            let may = counts.held < counts.quota;
            counts.held += usize::from(may);
            may
        });
        claimed.then(|| Claim {
            part: self.clone(),
            counted: true,
        })
    }
}

impl Claim {
    /// Resolves once more are held than fall to this instance, and it is this one that goes.
    pub(super) async fn is_one_too_many(&mut self) {
        let counts = &self.part.0;
        let mut changes = counts.subscribe();
        while self.counted {
            // The sender lives as long as this claim.
            let _ = changes.wait_for(|counts| counts.held > counts.quota).await;
            // Others may have gone by now.
            let goes = counts.send_if_modified(|counts| {
                let goes = counts.held > counts.quota;
                counts.held -= usize::from(goes);
                goes
            });
            self.counted = !goes;
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.counted {
            self.part.0.send_modify(|counts| counts.held -= 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, time::Duration};

    use super::*;

    async fn goes(claim: &mut Claim) -> bool {
        tokio::time::timeout(Duration::from_millis(20), claim.is_one_too_many())
            .await
            .is_ok()
    }

    #[tokio::test]
    async fn so_many_are_claimed_as_fall_to_it() {
        let part = Part::new(2);
        let (first, _second) = (part.claim().unwrap(), part.claim().unwrap());
        assert!(part.claim().is_none());
        drop(first);
        assert!(part.claim().is_some());
        assert!(Part::whole().claim().is_some());
    }

    #[tokio::test]
    async fn of_those_that_are_too_many_each_goes_once_and_no_more_go() {
        let part = Part::new(3);
        let mut claims: Vec<_> = (0..3).map(|_| part.claim().unwrap()).collect();
        assert!(!goes(&mut claims[0]).await);
        part.set_quota(1);
        let (mut last, mut middle) = (claims.pop().unwrap(), claims.pop().unwrap());
        let both = async { tokio::join!(last.is_one_too_many(), middle.is_one_too_many()) };
        tokio::time::timeout(Duration::from_secs(5), pin!(both))
            .await
            .unwrap();
        assert!(!goes(&mut claims[0]).await);
        drop((last, middle));
        assert!(part.claim().is_none(), "what goes is counted once");
        drop(claims);
        assert!(part.claim().is_some());
    }
}
