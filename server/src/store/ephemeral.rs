//! The store of `--ephemeral`: it keeps nothing but labels, so that nothing is taken twice. Rooms
//! have what is in memory, and people are remembered by the hub.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Mutex;

use crosstalk_protocol::{HistoryRange, Message, Record, RequestId, RoomName, Seq};

use super::{
    Answer, Authored, By, Change, Draft, Expiry, Hits, Outcome, Page, RoomId, RoomKey, Store, StoredRoom,
    StoredUser, TokenHash, UserId, Words,
};
use crate::limits::LABELS_MAX;
use crate::peer::lock;

/// Keeps the newest labels, [`LABELS_MAX`] at most.
#[derive(Debug, Default)]
pub struct Ephemeral {
    labels: Mutex<Labels>,
}

#[derive(Debug, Default)]
struct Labels {
    places: HashMap<Label, Place>,
    order: VecDeque<Label>,
    withdrawn: VecDeque<(RoomId, Seq)>,
}

type Label = (UserId, RequestId);

#[derive(Debug)]
struct Place {
    room: RoomName,
    seq: Seq,
    digest: i64,
}

impl Labels {
    fn outcome(&mut self, draft: &Draft) -> Outcome {
        let Some(id) = &draft.id else { return self.change(draft) };
        let label = (draft.author, id.clone());
        let digest = draft.digest();
        if let Some(place) = self.places.get(&label) {
            return match place.digest == digest {
                true => Outcome::Known { room: place.room.clone(), seq: place.seq },
                false => Outcome::Reused,
            };
        }
        let outcome = self.change(draft);
        if outcome != Outcome::Stored {
            return outcome;
        }
        let place = Place { room: draft.record.room().clone(), seq: draft.record.seq(), digest };
        self.places.insert(label.clone(), place);
        self.order.push_back(label);
        if self.order.len() > LABELS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.places.remove(&oldest);
        }
        Outcome::Stored
    }

    /// What is withdrawn is changed no more.
    fn change(&mut self, draft: &Draft) -> Outcome {
        let target = match &draft.record {
            Record::Message(_) => return Outcome::Stored,
            Record::Edited(edited) => (draft.room, edited.target),
            Record::Deleted(deleted) => (draft.room, deleted.target),
        };
        if self.withdrawn.contains(&target) {
            return Outcome::Gone;
        }
        if matches!(draft.record, Record::Deleted(_)) {
            self.withdrawn.push_back(target);
            if self.withdrawn.len() > WITHDRAWN_MAX {
                self.withdrawn.pop_front();
            }
        }
        Outcome::Stored
    }
}

/// Withdrawals that are remembered: more than can be on their way. What has been withdrawn for longer
/// is in no memory any more.
const WITHDRAWN_MAX: usize = 4_096;

fn ready<'a, T: Send + 'a>(value: T) -> Answer<'a, T> {
    Box::pin(std::future::ready(Ok(value)))
}

impl Store for Ephemeral {
    fn is_durable(&self) -> bool {
        false
    }

    fn append(&self, batch: Vec<Draft>) -> Answer<'_, Vec<Outcome>> {
        let mut labels = lock(&self.labels);
        ready(batch.iter().map(|draft| labels.outcome(draft)).collect())
    }

    fn change(&self, _: Change) -> Answer<'_, ()> {
        ready(())
    }

    fn rooms(&self) -> Answer<'_, Vec<StoredRoom>> {
        ready(Vec::new())
    }

    fn last_room(&self) -> Answer<'_, RoomId> {
        ready(RoomId(0))
    }

    fn labelled<'a>(&'a self, author: UserId, label: &'a RequestId) -> Answer<'a, Option<(RoomName, Seq)>> {
        let labels = lock(&self.labels);
        let place = labels.places.get(&(author, label.clone()));
        ready(place.map(|place| (place.room.clone(), place.seq)))
    }

    fn user(&self, _: TokenHash) -> Answer<'_, Option<StoredUser>> {
        ready(None)
    }

    fn records<'a>(&'a self, _: &'a RoomKey, _: HistoryRange, _: usize) -> Answer<'a, Page> {
        ready(Page::default())
    }

    fn messages<'a>(&'a self, _: &'a RoomKey, _: HistoryRange, _: usize) -> Answer<'a, Vec<Message>> {
        ready(Vec::new())
    }

    fn message<'a>(&'a self, _: &'a RoomKey, _: Seq) -> Answer<'a, Option<Authored>> {
        ready(None)
    }

    fn last_message<'a>(&'a self, _: &'a RoomKey, _: By<'a>) -> Answer<'a, Option<Authored>> {
        ready(None)
    }

    fn unread<'a>(&'a self, _: &'a RoomKey, _: Seq, _: usize) -> Answer<'a, usize> {
        ready(0)
    }

    fn search<'a>(&'a self, _: &'a RoomKey, _: &'a Words, _: Option<Seq>, _: usize) -> Answer<'a, Hits> {
        ready(Hits::default())
    }

    fn trouble(&self) -> Option<String> {
        None
    }

    fn expiries(&self) -> Pin<Box<dyn Future<Output = Vec<Expiry>> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}
