//! The store of `--ephemeral`: it keeps nothing, so that rooms have what is in memory.

use crosstalk_protocol::{HistoryRange, Message, RoomName};

use super::{Answer, Store};

/// Keeps nothing.
#[derive(Debug, Default)]
pub struct Ephemeral;

impl Store for Ephemeral {
    fn append<'a>(&'a self, _: &'a [Message]) -> Answer<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn read<'a>(&'a self, _: &'a RoomName, _: HistoryRange, _: usize) -> Answer<'a, Vec<Message>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}
