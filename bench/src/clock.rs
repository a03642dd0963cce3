//! Time as one number that fits into a message: nanoseconds since the program began.

use std::sync::LazyLock;
use std::time::Instant;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Now, in nanoseconds since the program began.
pub(crate) fn now() -> u64 {
    START.elapsed().as_nanos() as u64
}
