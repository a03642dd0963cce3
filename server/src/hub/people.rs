//! Who is here, by nickname and by token. A name and all that look like it are one person's.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};

use crosstalk_protocol::{ErrorCode, ErrorReply, Nick};

use crate::limits::RESTING_MAX;
use crate::peer::lock;
use crate::room::{Names, names};
use crate::store::{TokenHash, UserId};
use crate::user::User;

/// Everybody who is connected or may come back, and whoever they have direct conversations with.
#[derive(Default)]
pub(super) struct People {
    register: Mutex<Register>,
}

#[derive(Default)]
struct Register {
    /// Everybody who is connected, by what a nickname looks like.
    by_skeleton: HashMap<String, Arc<User>>,
    /// Everybody who is connected and can come back, or rests.
    by_token: HashMap<TokenHash, Arc<User>>,
    /// Those who are not connected and whom only memory knows, in the order in which they went.
    resting: BTreeMap<u64, Arc<User>>,
    /// How often anybody went.
    rests: u64,
    /// Everybody whom anything refers to, so that nobody is there twice.
    by_id: HashMap<UserId, Weak<User>>,
    /// How many `by_id` may hold before those who are gone are looked for.
    sweep_at: usize,
    visible: BTreeSet<Nick>,
}

impl People {
    /// Whoever has that token, if memory knows them.
    pub(super) fn by_token(&self, token: TokenHash) -> Option<Arc<User>> {
        lock(&self.register).by_token.get(&token).cloned()
    }

    /// The one person with that id, made with `new` if nothing refers to them yet.
    pub(super) fn get_or_insert(&self, id: UserId, new: impl FnOnce() -> User) -> Arc<User> {
        let mut register = lock(&self.register);
        if let Some(user) = register.by_id.get(&id).and_then(Weak::upgrade) {
            return user;
        }
        let user = Arc::new(new());
        register.by_id.insert(id, Arc::downgrade(&user));
        register.sweep();
        user
    }

    /// Gives `user`, who is about to connect, the nickname `nick`. Who is connected already keeps
    /// the one they have; who is not is out of sight as `hidden` says, if it does. `connect` is called
    /// while nobody else can take the name or the person away; if it returns `None`, nothing has
    /// happened.
    pub(super) fn hello<T>(
        &self,
        user: &Arc<User>,
        nick: &Nick,
        hidden: Option<bool>,
        connect: impl FnOnce() -> Option<T>,
    ) -> Result<Option<T>, ErrorReply> {
        let mut register = lock(&self.register);
        let arrives = !user.is_connected();
        let skeletons = nick.skeletons();
        if arrives && register.is_taken(&skeletons, user.id) {
            return Err(nick_taken(nick));
        }
        let Some(connected) = connect() else { return Ok(None) };
        if arrives {
            // Their last connection may be about to give the name back.
            let before = user.nick();
            if register.by_skeleton.get(&before.skeletons()[0]).is_some_and(|holder| holder.id == user.id) {
                register.release(&before);
                register.visible.remove(&before);
            }
            user.set_nick(nick.clone());
            if let Some(hidden) = hidden {
                user.set_hidden(hidden);
            }
            register.claim(skeletons, user);
            register.wake(user);
            if let Some(token) = user.token() {
                register.by_token.insert(token, user.clone());
            }
            if !user.is_hidden() {
                register.visible.insert(nick.clone());
            }
        }
        Ok(Some(connected))
    }

    /// Lets those who have that name, or one that looks like it, and go, give it back: that they have gone
    /// is announced before. Waits for their turn, so that whoever has one of their own must not call it.
    pub(super) fn let_go(&self, nick: &Nick) {
        let skeletons = nick.skeletons();
        let going: Vec<Arc<User>> = {
            let register = lock(&self.register);
            let holders = skeletons.iter().filter_map(|skeleton| register.by_skeleton.get(skeleton));
            holders.filter(|holder| !holder.is_connected()).cloned().collect()
        };
        for user in going {
            drop(user.turn());
        }
    }

    /// Takes the nickname off the list, unless the person is connected by now. It is theirs until
    /// [`People::goodbye`].
    pub(super) fn fade(&self, user: &User) {
        let mut register = lock(&self.register);
        if !user.is_connected() {
            register.visible.remove(&user.nick());
        }
    }

    /// Gives the nickname back, unless the person is connected by now. Who is not `kept` in memory
    /// is in no room as far as memory knows; what refers to them refers to no room.
    pub(super) fn goodbye(&self, user: &Arc<User>, kept: bool) {
        let mut register = lock(&self.register);
        let mut places = user.places();
        if !places.peers.is_empty() {
            return;
        }
        let nick = user.nick();
        register.release(&nick);
        register.visible.remove(&nick);
        let Some(token) = user.token() else { return };
        if kept {
            drop(places);
            register.rest(user);
        } else {
            register.by_token.remove(&token);
            (places.seats, places.loaded) = (Vec::new(), false);
        }
    }

    /// Gives `user` another nickname. Returns the one before.
    pub(super) fn rename(&self, user: &User, to: &Nick) -> Result<Nick, ErrorReply> {
        let mut register = lock(&self.register);
        let from = user.nick();
        let skeletons = to.skeletons();
        if register.is_taken(&skeletons, user.id) {
            return Err(nick_taken(to));
        }
        if let Some(entry) = register.release(&from) {
            register.claim(skeletons, &entry);
        }
        if register.visible.remove(&from) {
            register.visible.insert(to.clone());
        }
        user.set_nick(to.clone());
        Ok(from)
    }

    /// Takes `user` out of sight. Returns their nickname.
    pub(super) fn hide(&self, user: &User) -> Nick {
        let mut register = lock(&self.register);
        let nick = user.nick();
        register.visible.remove(&nick);
        user.set_hidden(true);
        nick
    }

    /// Brings `user` back into sight. Returns their nickname.
    pub(super) fn reveal(&self, user: &User) -> Nick {
        let mut register = lock(&self.register);
        let nick = user.nick();
        register.visible.insert(nick.clone());
        user.set_hidden(false);
        nick
    }

    /// Whoever is called `nick` and can be seen.
    pub(super) fn find(&self, nick: &Nick) -> Option<Arc<User>> {
        let register = lock(&self.register);
        register
            .by_skeleton
            .get(&nick.skeletons()[0])
            .filter(|user| user.nick() == *nick && !user.is_hidden())
            .cloned()
    }

    /// Everybody who is connected.
    pub(super) fn connected(&self) -> Vec<Arc<User>> {
        let register = lock(&self.register);
        // A name and what looks like it are the same person.
        let people: HashMap<UserId, &Arc<User>> =
            register.by_skeleton.values().map(|user| (user.id, user)).collect();
        people.into_values().cloned().collect()
    }

    /// Names in sight, in order, behind `after`.
    pub(super) fn names(&self, after: Option<&Nick>, limit: usize) -> Names {
        names(&lock(&self.register).visible, after, limit)
    }
}

impl Register {
    fn is_taken(&self, skeletons: &[String; 2], by_others_than: UserId) -> bool {
        let holders = skeletons.iter().filter_map(|skeleton| self.by_skeleton.get(skeleton));
        holders.into_iter().any(|holder| holder.id != by_others_than)
    }

    /// Notes that somebody goes whom only memory knows, and forgets who has been away for longest if
    /// too many are.
    fn rest(&mut self, user: &Arc<User>) {
        self.rests += 1;
        user.rests.store(self.rests, Ordering::Relaxed);
        self.resting.insert(self.rests, user.clone());
        if self.resting.len() > RESTING_MAX
            && let Some((_, user)) = self.resting.pop_first()
            && let Some(token) = user.token()
        {
            self.by_token.remove(&token);
            for seat in std::mem::take(&mut user.places().seats) {
                if seat.room.pair.is_some() {
                    seat.room.end();
                } else {
                    seat.room.remove_seat();
                }
            }
        }
    }

    /// Who is here rests no more.
    fn wake(&mut self, user: &User) {
        self.resting.remove(&user.rests.swap(0, Ordering::Relaxed));
    }

    fn claim(&mut self, skeletons: [String; 2], user: &Arc<User>) {
        for skeleton in skeletons {
            self.by_skeleton.insert(skeleton, user.clone());
        }
    }

    fn release(&mut self, nick: &Nick) -> Option<Arc<User>> {
        nick.skeletons().into_iter().filter_map(|skeleton| self.by_skeleton.remove(&skeleton)).last()
    }

    /// Forgets those to whom nothing refers any more, whenever there are twice as many as were left
    /// the last time.
    fn sweep(&mut self) {
        if self.by_id.len() >= self.sweep_at.max(SWEEP_MIN) {
            self.by_id.retain(|_, user| user.strong_count() > 0);
            self.sweep_at = self.by_id.len() * 2;
        }
    }
}

/// Fewer people are not worth looking through.
const SWEEP_MIN: usize = 1_024;

/// The answer to a name that nobody in sight has; the same for who is absent and who is hidden.
pub(crate) fn no_such_user() -> ErrorReply {
    ErrorReply::new(ErrorCode::NoSuchUser, "User not found.")
}

fn nick_taken(nick: &Nick) -> ErrorReply {
    let message = format!("The nickname {nick}, or one that looks like it, is taken; choose another.");
    ErrorReply::new(ErrorCode::NickTaken, message)
}
