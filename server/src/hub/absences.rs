//! Who spoke plain lines, has gone, and may come back: nobody can tell for sure that it is the same
//! person, so all they get is a word about what was said meanwhile.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use crosstalk_protocol::{Nick, Seq};
use tokio::time::Instant;

use crate::limits::{ABSENCE_TIME, ABSENCES_MAX};
use crate::peer::lock;
use crate::room::Room;

/// Where somebody was when they went.
pub struct Absence {
    /// Since when they have been away.
    pub since: Instant,
    /// The public rooms they were in, each with the last entry they had then.
    pub rooms: Vec<(Arc<Room>, Seq)>,
}

/// Those who have gone within [`ABSENCE_TIME`], [`ABSENCES_MAX`] at most.
#[derive(Default)]
pub(super) struct Absences(Mutex<HashMap<(Nick, IpAddr), Absence>>);

impl Absences {
    /// Somebody goes.
    pub(super) fn note(&self, nick: Nick, from: IpAddr, absence: Absence) {
        let mut absences = lock(&self.0);
        if absences.len() >= ABSENCES_MAX {
            let now = absence.since;
            absences.retain(|_, absence| now < absence.since + ABSENCE_TIME);
        }
        if absences.len() < ABSENCES_MAX {
            absences.insert((nick, from), absence);
        }
    }

    /// Somebody of that name comes from there: what is known of their absence, once.
    pub(super) fn take(&self, nick: &Nick, from: IpAddr) -> Option<Absence> {
        let absence = lock(&self.0).remove(&(nick.clone(), from))?;
        (Instant::now() < absence.since + ABSENCE_TIME).then_some(absence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_absence_is_known_once_and_for_a_while() {
        let absences = Absences::default();
        let (nick, from) = (Nick::parse("alice").unwrap(), IpAddr::from([127, 0, 0, 1]));
        let go = || absences.note(nick.clone(), from, Absence { since: Instant::now(), rooms: Vec::new() });
        go();
        assert!(absences.take(&nick, IpAddr::from([127, 0, 0, 2])).is_none(), "somebody else may come");
        assert!(absences.take(&nick, from).is_some());
        assert!(absences.take(&nick, from).is_none());
        go();
        tokio::time::advance(ABSENCE_TIME).await;
        assert!(absences.take(&nick, from).is_none());
    }
}
