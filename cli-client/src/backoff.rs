//! How long to stay away before the next attempt.
//!
//! The wait doubles with each failure, and a random part of it spreads out a thousand clients that
//! lost the same server in the same instant.

use std::time::Duration;

/// The first wait: a restarting server is back within seconds.
const FIRST: Duration = Duration::from_millis(500);

/// The longest wait: longer, and somebody looks at a dead window after the network is back.
const LONGEST: Duration = Duration::from_secs(30);

/// Counts failures and turns them into waits.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    failures: u32,
    random: fastrand::Rng,
}

impl Backoff {
    /// Starts without a failure. The same `seed` gives the same waits.
    pub(crate) fn new(seed: u64) -> Self {
        Self { failures: 0, random: fastrand::Rng::with_seed(seed) }
    }

    /// The wait after one more failure: half to all of the doubled time, and never less than
    /// `at_least`, which the server asked for, with as much randomness on top.
    pub(crate) fn next(&mut self, at_least: Option<Duration>) -> Duration {
        let full = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let random = full.mul_f64(self.random.f64() / 2.0);
        match at_least {
            Some(least) if least > full / 2 => least + random,
            _ => full / 2 + random,
        }
    }

    /// Forgets the failures: the connection stands.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_start_over_after_success() {
        let mut backoff = Backoff::new(7);
        for failure in 0..20 {
            let full = FIRST.saturating_mul(1 << failure.min(10)).min(LONGEST);
            let wait = backoff.next(None);
            assert!(wait >= full / 2 && wait <= full, "failure {failure}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.next(None) <= FIRST);
    }

    #[test]
    fn the_server_is_given_the_time_that_it_asks_for() {
        let least = Duration::from_secs(10);
        let mut backoff = Backoff::new(7);
        assert!(backoff.next(Some(least)) >= least);
    }

    #[test]
    fn two_clients_do_not_come_back_in_the_same_instant() {
        assert_ne!(Backoff::new(1).next(None), Backoff::new(2).next(None));
    }
}
