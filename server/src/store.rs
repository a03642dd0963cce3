//! Where entries outlive memory. The sequencer appends a batch and waits before anybody sees it;
//! a cursor that has fallen behind the memory reads pages.

mod ephemeral;

use std::future::Future;
use std::pin::Pin;

use crosstalk_protocol::{HistoryRange, Message, RoomName};
use thiserror::Error;

pub use ephemeral::Ephemeral;

/// A pending answer of a store.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why a store could not do what it was asked. The log has the details; peers are told to try again.
#[derive(Debug, Error)]
#[error("the store failed: {0}")]
pub struct StoreError(pub String);

/// A keeper of messages.
pub trait Store: Send + Sync + 'static {
    /// Appends the messages of one batch, all or none. They are in order within each room, and
    /// once this has returned they survive whatever the store promises to survive.
    fn append<'a>(&'a self, batch: &'a [Message]) -> Answer<'a, ()>;

    /// Reads at most `limit` messages of a room, oldest first; fewer, or none, if the store has no
    /// more in that range.
    fn read<'a>(&'a self, room: &'a RoomName, range: HistoryRange, limit: usize) -> Answer<'a, Vec<Message>>;
}
