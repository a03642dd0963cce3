//! How much of a room is kept.

use std::time::Duration;

use super::{RoomId, Seq};

/// What a room keeps at most; by default everything. Of each bound it is the oldest that goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// How old an entry may become.
    pub age: Option<Duration>,
    /// How many messages there may be.
    pub messages: Option<u64>,
    /// How many bytes of text, with 64 more for each entry.
    pub bytes: Option<u64>,
}

impl Retention {
    /// Whether everything is kept.
    pub fn is_off(&self) -> bool {
        *self == Self::default()
    }
}

/// What retention has removed: a room's entries up to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Which room.
    pub room: RoomId,
    /// The number of the last entry that is gone.
    pub seq: Seq,
}
