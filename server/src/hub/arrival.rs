//! How somebody comes: as somebody new, or as who they were, with their rooms as they were.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crosstalk_protocol::line::render::Notice;
use crosstalk_protocol::{EntryRoom, ErrorReply, Nick, RequestId, Token};

use super::profile::saved;
use super::{Hub, Membership};
use crate::peer::{Peer, PeerId};
use crate::sequencer::busy;
use crate::store::{Partner, StoredSeat, StoredUser, TokenHash, UserId};
use crate::user::{Seat, User};

/// Who says hello.
#[derive(Debug)]
pub enum Visitor {
    /// Somebody who cannot come back as the same person.
    Passing,
    /// Somebody who can.
    Returning {
        /// What they were given when they came before.
        token: Option<Token>,
        /// Which of their clients this is.
        client: Option<RequestId>,
        /// Whether they come out of sight, if they are new.
        hidden: bool,
    },
}

/// Somebody who has come, and is in no room yet.
pub struct Arrival {
    /// The connection.
    pub peer: Arc<Peer>,
    /// By which they are known when they come back.
    pub token: Option<Token>,
    /// Whether they are somebody who was here before.
    pub resumed: bool,
    /// Connections of the same client, which end.
    replaced: Vec<Arc<Peer>>,
}

impl Hub {
    /// Lets somebody come, under a nickname, over the connection numbered `opened`. Who is connected
    /// already keeps the nickname they have.
    ///
    /// # Errors
    /// `nick-taken`, `busy`.
    pub async fn arrive(&self, nick: &Nick, visitor: Visitor, opened: u64) -> Result<Arrival, ErrorReply> {
        let (token, client, hidden) = match visitor {
            Visitor::Passing => (None, None, false),
            Visitor::Returning { token, client, hidden } => {
                if let Some(token) = token
                    && let Some((user, seats)) = self.known(TokenHash::of(&token)).await?
                {
                    let peer = Peer::new(self.next_peer(), user, client, opened);
                    return self.connect(nick, peer, seats, token);
                }
                (Some(new_token()), client, hidden)
            }
        };
        let hash = token.as_ref().map(TokenHash::of);
        let id = UserId(random() >> 1);
        let user = self.people.get_or_insert(id, || User::new(id, hash, nick.clone(), hidden));
        let peer = Arc::new(Peer::new(self.next_peer(), user.clone(), client, opened));
        let replaced = self.people.hello(&user, nick, || {
            let mut places = user.places();
            places.loaded = true;
            places.connect(&peer)
        })?;
        let mut arrival = Arrival { peer, token, resumed: false, replaced };
        if let Some(change) = saved(&user)
            && let Err(error) = self.store.change(change).await
        {
            // They can talk all the same, once there is something to store it in; they only
            // cannot come back as the same person.
            tracing::warn!(%error, "somebody new was not stored");
            arrival.token = None;
        }
        Ok(arrival)
    }

    fn connect(
        &self,
        nick: &Nick,
        peer: Peer,
        seats: Vec<Seat>,
        token: Token,
    ) -> Result<Arrival, ErrorReply> {
        let peer = Arc::new(peer);
        let user = &peer.user;
        let replaced = self.people.hello(user, nick, || {
            let mut places = user.places();
            if !places.loaded {
                (places.seats, places.loaded) = (seats, true);
            }
            places.connect(&peer)
        })?;
        drop(self.save(user));
        Ok(Arrival { peer, token: Some(token), resumed: true, replaced })
    }

    /// Whoever has that token, and where the store has them.
    async fn known(&self, token: TokenHash) -> Result<Option<(Arc<User>, Vec<Seat>)>, ErrorReply> {
        if let Some(user) = self.people.by_token(token) {
            return Ok(Some((user, Vec::new())));
        }
        let look_up = || async {
            self.store.user(token).await.map_err(|error| {
                tracing::error!(%error, "somebody was not looked up");
                busy("The server cannot look you up at the moment")
            })
        };
        let Some(stored) = look_up().await? else { return Ok(None) };
        let StoredUser { id, nick, hidden, seats } = stored;
        let user = self.people.get_or_insert(id, || User::new(id, Some(token), nick.clone(), hidden));
        user.know(token);
        if !user.is_connected() {
            user.set_nick(nick);
            user.set_hidden(hidden);
        }
        let has_directs = seats.iter().any(|seat| seat.with.is_some());
        let seats: Vec<Seat> = seats.into_iter().filter_map(|seat| self.stored_seat(seat)).collect();
        if has_directs {
            // What was said between looking and finding the conversation in memory, or putting it
            // there, was said in a room that memory has forgotten: the store knows its number.
            for seat in look_up().await?.into_iter().flat_map(|stored| stored.seats) {
                if let Some(Seat { room, .. }) = seats.iter().find(|known| known.room.id == seat.room.id) {
                    room.log.catch_up(seat.room.last_seq);
                }
            }
        }
        Ok(Some((user, seats)))
    }

    /// A place in a room; `None` if the room is gone.
    fn stored_seat(&self, stored: StoredSeat) -> Option<Seat> {
        let StoredSeat { room, read, with } = stored;
        let Some(Partner { id, nick, returns }) = with else {
            let current = self.rooms.get(&room.name).filter(|current| current.id == room.id)?;
            return Some(Seat { room: current, read, with: None });
        };
        let with = self.people.get_or_insert(id, || User::absent(id, nick, returns));
        let pair = room.pair?;
        let new = || Ok::<_, std::convert::Infallible>(self.stored_room(room));
        let Ok((room, _)) = self.directs.get_or_insert(pair, new);
        Some(Seat { room, read, with: Some(with) })
    }

    /// Lets somebody who has arrived into the rooms they were in, each read behind the position that
    /// they name, and ends the connections that this one replaces.
    pub fn reenter(&self, arrival: &Arrival, listed: &[EntryRoom]) -> Vec<Membership> {
        let peer = &arrival.peer;
        let user = &peer.user;
        if peer.is_replaced() {
            return Vec::new();
        }
        let memberships: Vec<Membership> = self.rooms.look(|is_there| {
            let mut places = user.places();
            places.seats.retain(|seat| seat.room.pair.is_some() || is_there(&seat.room));
            let let_in = |seat: &Seat| {
                let room = &seat.room;
                let listed = listed.iter().find(|entry| entry.room == room.name);
                let position = listed.and_then(|entry| entry.position);
                self.let_in(peer, seat, position, Some(Notice::arrival(user.nick(), &room.name)))
            };
            places.seats.iter().map(let_in).collect()
        });
        for Membership { room, .. } in &memberships {
            for old in &arrival.replaced {
                room.leave(old, None, |announcement| self.announce(room, announcement, old.id));
            }
        }
        memberships
    }

    fn next_peer(&self) -> PeerId {
        PeerId(self.last_peer.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// 128 random bits, in letters and digits.
fn new_token() -> Token {
    let token = format!("{:016x}{:016x}", random(), random());
    Token::new(&token).expect("32 hexadecimal digits are a token")
}

fn random() -> u64 {
    // Nothing is safe to do without: ids and tokens would be anybody's guess.
    getrandom::u64().expect("the system has random numbers")
}
