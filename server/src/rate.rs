//! How fast one connection may talk: a token bucket, and a second one for patience.

use tokio::time::Instant;

use crate::limits::{BURST_FACTOR, FLOOD_FACTOR};

/// What the limiter says to one more message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Admitted,
    /// Not this one; try again after so many milliseconds.
    RetryAfter(u64),
    /// The limit has been ignored for too long.
    Flooding,
}

/// The message rate of one connection.
#[derive(Debug)]
pub struct RateLimiter {
    messages: Bucket,
    refusals: Bucket,
}

impl RateLimiter {
    /// A limiter that admits `rate` messages a second on average; 1 at least.
    pub fn new(rate: u32, now: Instant) -> Self {
        let rate = rate.max(1);
        Self {
            messages: Bucket::new(rate, rate.saturating_mul(BURST_FACTOR), now),
            refusals: Bucket::new(rate, rate.saturating_mul(FLOOD_FACTOR), now),
        }
    }

    /// Judges one more message.
    pub fn admit(&mut self, now: Instant) -> Verdict {
        match self.messages.take(now) {
            None => Verdict::Admitted,
            Some(retry_after_ms) if self.refusals.take(now).is_none() => Verdict::RetryAfter(retry_after_ms),
            Some(_) => Verdict::Flooding,
        }
    }
}

/// A token bucket, kept as the moment at which it would be full: no fractions add up.
#[derive(Debug)]
struct Bucket {
    /// Nanoseconds that one token takes to come back.
    interval: u64,
    /// Nanoseconds from empty to full.
    depth: u64,
    full_at: Instant,
}

impl Bucket {
    fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let interval = 1_000_000_000 / u64::from(per_second);
        Self { interval, depth: interval * u64::from(burst), full_at: now }
    }

    /// Takes a token, or says in how many milliseconds there will be one.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let missing = self.full_at.saturating_duration_since(now).as_nanos() as u64 + self.interval;
        if missing > self.depth {
            return Some((missing - self.depth).div_ceil(1_000_000));
        }
        self.full_at = now + std::time::Duration::from_nanos(missing);
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_then_the_average_rules() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(10, start);
        for _ in 0..50 {
            assert_eq!(limiter.admit(start), Verdict::Admitted);
        }
        assert_eq!(limiter.admit(start), Verdict::RetryAfter(100));
        assert_eq!(limiter.admit(start + Duration::from_millis(99)), Verdict::RetryAfter(1));
        assert_eq!(limiter.admit(start + Duration::from_millis(100)), Verdict::Admitted);
        assert_eq!(limiter.admit(start + Duration::from_millis(100)), Verdict::RetryAfter(100));
    }

    #[test]
    fn only_sustained_flooding_disconnects() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(10, start);
        let flood =
            (0..2_000).map(|_| limiter.admit(start)).take_while(|verdict| *verdict != Verdict::Flooding);
        assert_eq!(flood.count(), 50 + 1_000);
    }
}
