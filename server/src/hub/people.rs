//! Who is here, by nickname. A name and all that look like it are one person's.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crosstalk_protocol::{ErrorCode, ErrorReply, Nick};

use crate::peer::{Peer, PeerId, lock};
use crate::room::{Names, names};

/// Everybody who is connected.
#[derive(Default)]
pub(super) struct People {
    register: Mutex<Register>,
    /// How many there have been.
    arrivals: AtomicU64,
}

#[derive(Default)]
struct Register {
    /// Everybody, by what a nickname looks like.
    by_skeleton: HashMap<String, Arc<Peer>>,
    visible: BTreeSet<Nick>,
}

impl People {
    /// Takes a nickname for a new peer.
    pub(super) fn hello(&self, nick: &Nick) -> Result<Arc<Peer>, ErrorReply> {
        let mut register = lock(&self.register);
        let skeletons = nick.skeletons();
        if skeletons.iter().any(|skeleton| register.by_skeleton.contains_key(skeleton)) {
            return Err(nick_taken(nick));
        }
        let id = PeerId(self.arrivals.fetch_add(1, Ordering::Relaxed) + 1);
        let peer = Arc::new(Peer::new(id, nick.clone()));
        register.claim(skeletons, &peer);
        register.visible.insert(nick.clone());
        Ok(peer)
    }

    /// Gives the nickname back.
    pub(super) fn goodbye(&self, peer: &Peer) {
        let mut register = lock(&self.register);
        let nick = peer.nick();
        register.release(&nick);
        register.visible.remove(&nick);
    }

    /// Gives `peer` another nickname. Returns the one before.
    pub(super) fn rename(&self, peer: &Peer, to: &Nick) -> Result<Nick, ErrorReply> {
        let from = peer.nick();
        let mut register = lock(&self.register);
        let skeletons = to.skeletons();
        let holders = skeletons.iter().filter_map(|skeleton| register.by_skeleton.get(skeleton));
        if holders.into_iter().any(|holder| holder.id != peer.id) {
            return Err(nick_taken(to));
        }
        if let Some(entry) = register.release(&from) {
            register.claim(skeletons, &entry);
        }
        if register.visible.remove(&from) {
            register.visible.insert(to.clone());
        }
        peer.set_nick(to.clone());
        Ok(from)
    }

    /// Takes `peer` out of sight. Returns its nickname.
    pub(super) fn hide(&self, peer: &Peer) -> Nick {
        let nick = peer.nick();
        lock(&self.register).visible.remove(&nick);
        peer.set_hidden(true);
        nick
    }

    /// Brings `peer` back into sight. Returns its nickname.
    pub(super) fn reveal(&self, peer: &Peer) -> Nick {
        let nick = peer.nick();
        lock(&self.register).visible.insert(nick.clone());
        peer.set_hidden(false);
        nick
    }

    /// Whoever is called `nick` and can be seen.
    pub(super) fn find(&self, nick: &Nick) -> Option<Arc<Peer>> {
        let register = lock(&self.register);
        register
            .by_skeleton
            .get(&nick.skeletons()[0])
            .filter(|peer| peer.nick() == *nick && !peer.is_hidden())
            .cloned()
    }

    /// Names in sight, in order, behind `after`.
    pub(super) fn names(&self, after: Option<&Nick>, limit: usize) -> Names {
        names(&lock(&self.register).visible, after, limit)
    }
}

impl Register {
    fn claim(&mut self, skeletons: [String; 2], peer: &Arc<Peer>) {
        for skeleton in skeletons {
            self.by_skeleton.insert(skeleton, peer.clone());
        }
    }

    fn release(&mut self, nick: &Nick) -> Option<Arc<Peer>> {
        nick.skeletons().into_iter().filter_map(|skeleton| self.by_skeleton.remove(&skeleton)).last()
    }
}

/// The answer to a name that nobody in sight has; the same for who is absent and who is hidden.
pub(crate) fn no_such_user() -> ErrorReply {
    ErrorReply::new(ErrorCode::NoSuchUser, "User not found.")
}

fn nick_taken(nick: &Nick) -> ErrorReply {
    let message = format!("The nickname {nick}, or one that looks like it, is taken; choose another.");
    ErrorReply::new(ErrorCode::NickTaken, message)
}
