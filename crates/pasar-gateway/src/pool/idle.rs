//! Connections that nothing is asked on. They lie in as many drawers as there are threads. Each thread uses its
//! own, and takes from those of others before it opens a connection: requests move between threads.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// What can be kept for the next request.
pub(super) trait Keep {
    /// Whether the other end has not closed it, nor said anything that nobody asked for.
    fn is_alive(&mut self) -> bool;
}

pub(super) struct Idle<C> {
    drawers: Box<[Drawer<C>]>,
    keep: Duration,
    most: usize,
}

/// Since when each lies there; the one that was used last is at the end.
type Drawer<C> = Mutex<Vec<(Instant, C)>>;

const DRAWERS: usize = 16;

thread_local! {
    static DRAWER: usize = next_drawer();
}

fn next_drawer() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Relaxed) % DRAWERS
}

impl<C: Keep> Idle<C> {
    /// Keeps a connection for so long, and at most so many for each thread.
    pub(super) fn new(keep: Duration, most: usize) -> Self {
        Self {
            drawers: (0..DRAWERS).map(|_| Mutex::default()).collect(),
            keep,
            most,
        }
    }

    pub(super) fn clear(&self) {
        for drawer in &self.drawers {
            drawer.lock().clear();
        }
    }

    /// This thread's, then the others.
    fn drawers(&self) -> impl Iterator<Item = &Drawer<C>> {
        let own = DRAWER.with(|drawer| *drawer);
        let (before, from) = self.drawers.split_at(own);
        from.iter().chain(before)
    }

    /// The one that was used last, if it still lives.
    pub(super) fn take(&self) -> Option<C> {
        self.drawers().find_map(|drawer| self.take_from(drawer))
    }

    fn take_from(&self, drawer: &Drawer<C>) -> Option<C> {
        loop {
            let (since, mut connection) = drawer.lock().pop()?;
            if since.elapsed() > self.keep {
                // All others are older still.
                drawer.lock().clear();
                return None;
            }
            // What happened while nobody looked: the other end may have closed it.
            if connection.is_alive() {
                return Some(connection);
            }
        }
    }

    pub(super) fn put(&self, connection: C) {
        let mut drawer = self.drawers[DRAWER.with(|drawer| *drawer)].lock();
        if drawer.len() < self.most {
            drawer.push((Instant::now(), connection));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection, and whether it is alive.
    #[derive(Debug, PartialEq)]
    struct Line(u32, bool);

    impl Keep for Line {
        fn is_alive(&mut self) -> bool {
            self.1
        }
    }

    fn idle(keep: Duration) -> Idle<Line> {
        Idle::new(keep, 2)
    }

    #[test]
    fn the_last_one_used_is_taken_first_and_dead_ones_never() {
        let idle = idle(Duration::from_secs(60));
        idle.put(Line(1, true));
        idle.put(Line(2, false));
        assert_eq!(idle.take(), Some(Line(1, true)));
        assert_eq!(idle.take(), None);
    }

    #[test]
    fn another_threads_are_taken_before_one_is_opened() {
        let idle = idle(Duration::from_secs(60));
        let put = |line| std::thread::scope(|scope| scope.spawn(|| idle.put(line)).join());
        put(Line(1, true)).unwrap();
        put(Line(2, true)).unwrap();
        let taken = [idle.take(), idle.take(), idle.take()];
        assert_eq!(taken.iter().flatten().count(), 2);
    }

    #[test]
    fn so_many_are_kept_for_each_thread_and_no_more() {
        let idle = idle(Duration::from_secs(60));
        for number in 0..100 {
            idle.put(Line(number, true));
        }
        let taken = std::iter::from_fn(|| idle.take()).count();
        assert_eq!(taken, 2);
    }

    #[test]
    fn what_lay_too_long_is_not_used() {
        let idle = idle(Duration::ZERO);
        idle.put(Line(1, true));
        assert_eq!(idle.take(), None);
    }
}
