//! The end of the server, as all its tasks see it. That it has begun is asked so often that the answer
//! takes no lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// Whether the server stops. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<State>);

#[derive(Debug, Default)]
struct State {
    begun: AtomicBool,
    token: CancellationToken,
}

impl Shutdown {
    /// The server stops from now on. Everybody who waits for it is woken.
    pub fn begin(&self) {
        self.0.begun.store(true, Ordering::Release);
        self.0.token.cancel();
    }

    /// Whether it stops.
    pub fn has_begun(&self) -> bool {
        self.0.begun.load(Ordering::Acquire)
    }

    /// Waits until it does.
    pub fn begun(&self) -> WaitForCancellationFuture<'_> {
        self.0.token.cancelled()
    }
}
