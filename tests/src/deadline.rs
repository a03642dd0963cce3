//! Waiting for a thing that happens.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

/// How long anything may take before a test gives up. Far longer than the slowest machine needs:
/// it guards against hanging and measures nothing.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Awaits `future`.
///
/// # Panics
/// If that takes longer than [`DEADLINE`]; `what` says what was waited for.
pub async fn within<T>(what: impl Display, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {DEADLINE:?} for {what}"),
    }
}

/// Waits for a state of another process, which sends no word when it is reached.
///
/// # Panics
/// If it is not reached within [`DEADLINE`]; `what` says what was waited for.
pub async fn eventually(what: &str, mut reached: impl FnMut() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    within(what, async {
        while !reached() {
            look.tick().await;
        }
    })
    .await;
}
