//! The lists that a session can ask for, page by page: rooms and people.

use std::sync::Arc;

use crosstalk_protocol::{ErrorReply, Event, Nick, Page, RequestId, RoomName, RoomSummary};

use super::Session;
use crate::hub::Membership;
use crate::room::{Names, Room, names};

impl Session {
    pub(super) fn list_rooms(&self, id: Option<RequestId>, page: &Page) -> Result<Event, ErrorReply> {
        let after = page.after.as_deref().map(RoomName::parse).transpose().map_err(ErrorReply::bad_room)?;
        let list = self.hub.rooms(after.as_ref(), page.limit);
        let summary = |room: Arc<Room>| RoomSummary {
            room: room.name.clone(),
            count: room.count(),
            member: self.is_member(&room.name),
        };
        Ok(Event::Rooms { id, rooms: list.rows.into_iter().map(summary).collect(), more: list.more })
    }

    pub(super) fn list_members(
        &self,
        id: Option<RequestId>,
        room: Option<&RoomName>,
        page: &Page,
    ) -> Result<Event, ErrorReply> {
        let after = page.after.as_deref().map(Nick::parse).transpose().map_err(ErrorReply::bad_nick)?;
        let list = match room {
            None => self.hub.names(after.as_ref(), page.limit),
            Some(room) => match self.membership(room)? {
                Membership { with: Some(with), .. } => {
                    let both =
                        [&self.peer()?.user, with].into_iter().filter(|user| self.hub.is_in_sight(user));
                    let both = both.map(|user| user.nick()).collect();
                    names(&both, after.as_ref(), page.limit)
                }
                Membership { room, .. } => room.names(after.as_ref(), page.limit),
            },
        };
        let Names { rows: members, before, more, count } = list;
        let room = room
            .map(|name| self.membership(name).map(|membership| membership.room.name.clone()))
            .transpose()?;
        Ok(Event::Members { id, room, members, before, count, more })
    }
}
