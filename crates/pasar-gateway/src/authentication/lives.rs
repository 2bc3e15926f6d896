//! Whether the sessions, API keys and users that credentials belong to go on, as the users feed tells.
//!
//! A life ends once. Whoever wants to go on asks users again and gets a new one.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Whether what a credential was verified by still holds.
#[derive(Debug, Default)]
pub(super) struct Life {
    is_over: AtomicBool,
    over: Notify,
}

/// Lives by the UUID of their session, key or user. Those that nobody holds are forgotten.
#[derive(Default)]
pub(super) struct Lives(Mutex<Known>);

#[derive(Default)]
struct Known {
    lives: HashMap<[u8; 16], Arc<Life>>,
    /// How many lives make it worth looking for those that nobody holds.
    sweep_at: usize,
    /// The newest endings, and how many there were before them.
    endings: VecDeque<[u8; 16]>,
    earlier: u64,
}

/// How many endings had been heard of at some moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watermark(u64);

/// An answer of users that is older than so many endings is not believed.
const ENDINGS: usize = 4_096;
const FIRST_SWEEP: usize = 1_024;

impl Life {
    pub(super) fn is_live(&self) -> bool {
        !self.is_over.load(SeqCst)
    }

    /// Resolves once it is over.
    pub(super) async fn ended(&self) {
        let over = self.over.notified();
        if self.is_live() {
            over.await;
        }
    }

    fn end(&self) {
        self.is_over.store(true, SeqCst);
        self.over.notify_waiters();
    }
}

impl Lives {
    /// To be taken before users is asked.
    pub(super) fn watermark(&self) -> Watermark {
        Watermark(self.0.lock().heard())
    }

    /// The life of a session, key or user that users called valid when asked after `asked`. It is over
    /// already if its end was told in between: the answer may be older than that.
    pub(super) fn of(&self, id: &[u8; 16], asked: Watermark) -> Arc<Life> {
        let mut known = self.0.lock();
        if known.ended_since(id, asked) {
            let life = Life::default();
            life.end();
            return Arc::new(life);
        }
        if known.lives.len() >= known.sweep_at.max(FIRST_SWEEP) {
            known.lives.retain(|_, life| Arc::strong_count(life) > 1);
            known.sweep_at = known.lives.len() * 2;
        }
        Arc::clone(known.lives.entry(*id).or_default())
    }

    /// What was verified by this session, key or user holds no longer.
    pub(super) fn end(&self, id: &[u8; 16]) {
        let mut known = self.0.lock();
        if known.endings.len() == ENDINGS {
            known.endings.pop_front();
            known.earlier += 1;
        }
        known.endings.push_back(*id);
        if let Some(life) = known.lives.remove(id) {
            life.end();
        }
    }

    /// Nothing that was verified before holds any longer, nor does an answer of users that was asked for before.
    pub(super) fn end_all(&self) {
        let mut known = self.0.lock();
        known.earlier = known.heard() + 1;
        known.endings.clear();
        known.lives.drain().for_each(|(_, life)| life.end());
    }
}

impl Known {
    fn heard(&self) -> u64 {
        self.earlier + self.endings.len() as u64
    }

    fn ended_since(&self, id: &[u8; 16], asked: Watermark) -> bool {
        let newer = usize::try_from(self.heard() - asked.0).unwrap_or(usize::MAX);
        newer > self.endings.len()
            || self
                .endings
                .iter()
                .rev()
                .take(newer)
                .any(|ended| ended == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_reaches_those_who_hold_the_life_and_not_those_who_ask_later() {
        let lives = Lives::default();
        let before = lives.of(&[1; 16], lives.watermark());
        let other = lives.of(&[2; 16], lives.watermark());
        lives.end(&[1; 16]);
        assert!(!before.is_live());
        assert!(other.is_live());
        assert!(lives.of(&[1; 16], lives.watermark()).is_live());
    }

    #[test]
    fn an_answer_that_was_asked_for_before_the_end_is_not_believed() {
        let lives = Lives::default();
        let asked = lives.watermark();
        lives.end(&[1; 16]);
        assert!(!lives.of(&[1; 16], asked).is_live());
        assert!(lives.of(&[2; 16], asked).is_live());
        for n in 0..ENDINGS {
            lives.end(&(n as u128 + 100).to_be_bytes());
        }
        assert!(
            !lives.of(&[2; 16], asked).is_live(),
            "too many endings ago to know"
        );
    }

    #[test]
    fn the_end_of_all_reaches_everybody_and_answers_that_were_asked_for_before() {
        let lives = Lives::default();
        lives.end(&[9; 16]);
        let (one, other) = (
            lives.of(&[1; 16], lives.watermark()),
            lives.of(&[2; 16], lives.watermark()),
        );
        let asked = lives.watermark();
        lives.end_all();
        assert!(!one.is_live() && !other.is_live());
        assert!(!lives.of(&[3; 16], asked).is_live());
        let anew = lives.of(&[1; 16], lives.watermark());
        assert!(anew.is_live());
        lives.end(&[1; 16]);
        assert!(!anew.is_live());
    }

    #[test]
    fn lives_that_nobody_holds_are_forgotten() {
        let lives = Lives::default();
        let held = lives.of(&[0xff; 16], lives.watermark());
        for n in 0..10 * FIRST_SWEEP {
            lives.of(&(n as u128).to_be_bytes(), lives.watermark());
        }
        assert!(
            lives.0.lock().lives.len() <= FIRST_SWEEP,
            "{}",
            lives.0.lock().lives.len()
        );
        lives.end(&[0xff; 16]);
        assert!(!held.is_live());
    }

    #[tokio::test]
    async fn waiting_for_an_end_that_was_before_does_not_hang() {
        let lives = Lives::default();
        let life = lives.of(&[1; 16], lives.watermark());
        let waiting = tokio::spawn({
            let life = Arc::clone(&life);
            async move { life.ended().await }
        });
        tokio::task::yield_now().await;
        lives.end(&[1; 16]);
        waiting.await.unwrap();
        life.ended().await;
    }
}
