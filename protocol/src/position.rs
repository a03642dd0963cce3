//! Where an entry stands in its room's log.

use serde::{Deserialize, Serialize};

/// A sequence number: it only grows within a room and an epoch, and may skip values.
pub type Seq = u64;

/// A place in a room's log: *just after* the entry numbered `seq` of the log `epoch`.
///
/// An epoch names one life of a log. Numbers of different epochs cannot be compared; a position
/// of another epoch is answered with a gap. Both fit into 53 bits, so that JavaScript can hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The life of the log that `seq` belongs to.
    pub epoch: u64,
    /// The last entry seen; 0 is before the first.
    pub seq: Seq,
}
