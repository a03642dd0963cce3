//! Faults on purpose, for tests: a disk that is full or slow, a clock that jumps, a thread that ends; and
//! upkeep that is never at rest, so that nobody has to wait for it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::ffi;

/// What goes wrong. It can be changed while the store runs.
#[derive(Debug, Default)]
pub struct Fault {
    /// Pages that the database may have; 0: as many as it likes.
    pages: AtomicU32,
    /// Milliseconds that each commit takes longer.
    stall: AtomicU64,
    /// Milliseconds between two passes of upkeep, and one more; 0: as long as it should be.
    upkeep: AtomicU64,
    /// Seconds by which the clock is ahead.
    clock: AtomicU64,
    /// Whether commits cannot be made to wait for the disk again.
    haste: AtomicBool,
    /// Whether the writer's thread is to end.
    panic: AtomicBool,
}

impl Fault {
    /// What the environment asks a debug build for: `CROSSTALK_FAULT` is `pages:N`, `stall:MS`,
    /// `upkeep:MS` or `clock:SECONDS`, or several with commas between them. Anything else, and any
    /// release build, knows no faults.
    pub fn from_environment() -> Self {
        let fault = Self::default();
        if cfg!(debug_assertions)
            && let Ok(asked) = std::env::var("CROSSTALK_FAULT")
        {
            for part in asked.split(',') {
                match part.split_once(':').map(|(what, number)| (what, number.parse::<u32>())) {
                    Some(("pages", Ok(pages))) => fault.limit_pages(pages),
                    Some(("stall", Ok(milliseconds))) => {
                        fault.stall(Duration::from_millis(milliseconds.into()));
                    }
                    Some(("upkeep", Ok(milliseconds))) => {
                        fault.rest_between_passes(Duration::from_millis(milliseconds.into()));
                    }
                    Some(("clock", Ok(seconds))) => {
                        fault.set_clock_ahead(Duration::from_secs(seconds.into()));
                    }
                    _ => tracing::warn!(part, "CROSSTALK_FAULT is not understood"),
                }
            }
        }
        fault
    }

    /// The disk is full once the database has so many pages; 0: it never is.
    pub fn limit_pages(&self, pages: u32) {
        self.pages.store(pages, Ordering::Relaxed);
    }

    /// Each commit takes so much longer.
    pub fn stall(&self, time: Duration) {
        self.stall.store(time.as_millis() as u64, Ordering::Relaxed);
    }

    /// Upkeep rests for so long between two passes.
    pub fn rest_between_passes(&self, time: Duration) {
        self.upkeep.store(time.as_millis() as u64 + 1, Ordering::Relaxed);
    }

    /// The clock by which things grow old is ahead by so much.
    pub fn set_clock_ahead(&self, time: Duration) {
        self.clock.store(time.as_secs(), Ordering::Relaxed);
    }

    /// Whether commits, once upkeep has kept them from waiting for the disk, cannot be made to wait.
    pub fn keep_haste(&self, keep: bool) {
        self.haste.store(keep, Ordering::Relaxed);
    }

    pub(super) fn end_haste(&self) -> rusqlite::Result<()> {
        match self.haste.load(Ordering::Relaxed) {
            false => Ok(()),
            true => {
                let code = ffi::Error::new(ffi::SQLITE_ERROR);
                Err(rusqlite::Error::SqliteFailure(code, Some("on purpose".to_owned())))
            }
        }
    }

    /// The thread that writes ends with its next job, as if there were a mistake in it.
    pub fn end_writer(&self) {
        self.panic.store(true, Ordering::Relaxed);
    }

    /// Where the writer ends if it is to.
    pub(super) fn pass(&self) {
        assert!(!self.panic.load(Ordering::Relaxed), "on purpose");
    }

    pub(super) fn upkeep(&self) -> Option<Duration> {
        self.upkeep.load(Ordering::Relaxed).checked_sub(1).map(Duration::from_millis)
    }

    pub(super) fn clock_ahead(&self) -> Duration {
        Duration::from_secs(self.clock.load(Ordering::Relaxed))
    }

    pub(super) fn pages(&self) -> u32 {
        self.pages.load(Ordering::Relaxed)
    }

    pub(super) fn stalled(&self) -> Duration {
        Duration::from_millis(self.stall.load(Ordering::Relaxed))
    }
}
