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
        self.people.let_go(nick);
        let (token, client, hidden) = match visitor {
            Visitor::Passing => (None, None, false),
            Visitor::Returning { token, client, hidden } => {
                if let Some(token) = token
                    && let Some(arrival) = self.come_back(nick, token, client.as_ref(), opened).await?
                {
                    return Ok(arrival);
                }
                (Some(new_token()), client, hidden)
            }
        };
        let hash = token.as_ref().map(TokenHash::of);
        let id = UserId(random() >> 1);
        let user = self.people.get_or_insert(id, || User::new(id, hash, nick.clone(), hidden));
        let peer = Arc::new(Peer::new(self.next_peer(), user.clone(), client, opened));
        let replaced = self.people.hello(&user, nick, None, || {
            let mut places = user.places();
            places.loaded = true;
            Some(places.connect(&peer))
        })?;
        let replaced = replaced.expect("whoever is new is connected");
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

    /// Lets in whoever has that token; `None` if nobody has.
    async fn come_back(
        &self,
        nick: &Nick,
        token: Token,
        client: Option<&RequestId>,
        opened: u64,
    ) -> Result<Option<Arrival>, ErrorReply> {
        let hash = TokenHash::of(&token);
        for _ in 0..LOOKS {
            let Some((user, stored)) = self.known(hash).await? else { return Ok(None) };
            let peer = Arc::new(Peer::new(self.next_peer(), user, client.cloned(), opened));
            let user = &peer.user;
            let connected =
                self.people.hello(user, nick, stored.as_ref().map(|(hidden, _)| *hidden), || {
                    let mut places = user.places();
                    match stored {
                        Some((_, seats)) if !places.loaded => (places.seats, places.loaded) = (seats, true),
                        None if !places.loaded => return None,
                        _ => {}
                    }
                    Some(places.connect(&peer))
                })?;
            // Otherwise they have gone between being found in memory and coming in: the store knows.
            if let Some(replaced) = connected {
                drop(self.save(user));
                return Ok(Some(Arrival { peer, token: Some(token), resumed: true, replaced }));
            }
        }
        Err(busy("You come and go too fast"))
    }

    /// Whoever has that token; with whether they are out of sight and where the store has them, if
    /// memory does not know.
    async fn known(
        &self,
        token: TokenHash,
    ) -> Result<Option<(Arc<User>, Option<(bool, Vec<Seat>)>)>, ErrorReply> {
        if let Some(user) = self.people.by_token(token) {
            return Ok(Some((user, None)));
        }
        let look_up = || async {
            self.store.user(token).await.map_err(|error| {
                tracing::error!(%error, "somebody was not looked up");
                busy("The server cannot look you up at the moment")
            })
        };
        let Some(stored) = look_up().await? else { return Ok(None) };
        let StoredUser { id, nick, hidden, seats } = stored;
        let user = self.people.get_or_insert(id, || User::new(id, Some(token), nick, hidden));
        user.know(token);
        let seats: Vec<Seat> = seats.into_iter().filter_map(|seat| self.stored_seat(seat)).collect();
        if seats.iter().any(|seat| seat.room.log.is_tentative()) {
            // What was said between looking and putting the conversation into memory was said in a room
            // that memory has forgotten: the store knows its number. Nobody says anything there before
            // they have come this way themselves.
            for seat in look_up().await?.into_iter().flat_map(|stored| stored.seats) {
                if let Some(Seat { room, .. }) = seats.iter().find(|known| known.room.id == seat.room.id) {
                    room.log.settle(seat.room.last_seq);
                }
            }
        }
        Ok(Some((user, Some((hidden, seats)))))
    }

    /// A place in a room; `None` if the room is gone.
    fn stored_seat(&self, stored: StoredSeat) -> Option<Seat> {
        let StoredSeat { room, read, with } = stored;
        let Some(Partner { id, nick, returns }) = with else {
            let current = self.rooms.get(&room.name).filter(|current| current.id == room.id)?;
            return Some(Seat { room: current, read, with: None });
        };
        let with = self.people.get_or_insert(id, || User::absent(id, nick, returns));
        let room = self.directs.load(room.id, || {
            let room = self.stored_room(room);
            room.log.set_tentative();
            room
        });
        Some(Seat { room, read, with: Some(with) })
    }

    /// Lets somebody who has arrived into the rooms they were in, each read behind the position that
    /// they name, and ends the connections that this one replaces.
    pub fn reenter(&self, arrival: &Arrival, listed: &[EntryRoom]) -> Vec<Membership> {
        let peer = &arrival.peer;
        let user = &peer.user;
        let _turn = user.turn();
        let memberships: Vec<Membership> = self.rooms.look(|is_there| {
            let mut places = user.places();
            if !places.peers.iter().any(|other| other.id == peer.id) {
                return Vec::new();
            }
            peer.arrive();
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

/// How often somebody is looked for who comes and goes at the same time.
const LOOKS: usize = 8;

/// 128 random bits, in letters and digits.
fn new_token() -> Token {
    let token = format!("{:016x}{:016x}", random(), random());
    Token::new(&token).expect("32 hexadecimal digits are a token")
}

fn random() -> u64 {
    // Nothing is safe to do without: ids and tokens would be anybody's guess.
    getrandom::u64().expect("the system has random numbers")
}
