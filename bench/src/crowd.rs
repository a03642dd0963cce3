//! Very many clients on one thread. What they hear is looked through for marks and for nothing else,
//! so that they cost less than the server that they measure.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll;

use crate::mark::{Mark, Scanner};

/// Bytes taken with one read.
const READ_MAX: usize = 256 * 1024;

/// Sockets that are looked at with one call.
const EVENTS: usize = 1_024;

/// Clients, and what they have heard.
pub(crate) struct Crowd {
    epoll: OwnedFd,
    members: Vec<Member>,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
    /// What all of them have heard so far.
    pub(crate) tally: Tally,
}

/// What all have heard.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Messages, by those who count them.
    pub(crate) delivered: u64,
    /// Reads that brought at least one of them.
    pub(crate) reads: u64,
    /// Bytes, whatever they were.
    pub(crate) bytes: u64,
    /// Messages that were not the next of their stream.
    pub(crate) disorder: u64,
    /// Connections that the server has ended.
    pub(crate) ended: u64,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It reads, and counts what it hears.
    Reader,
    /// It reads, so that nothing is in the way, and counts nothing.
    Bystander,
    /// It reads, and remembers how many people the server says there are.
    Counter,
    /// It reads nothing.
    Stalled,
}

struct Member {
    stream: TcpStream,
    role: Role,
    scanner: Scanner,
    /// The next number of each stream that it has heard of.
    next: HashMap<u32, u32>,
    /// What its socket has not taken yet.
    unsent: Vec<u8>,
    /// The end of what it has heard, if it counts people.
    heard: Vec<u8>,
    /// How many people there are, as far as it knows.
    people: u64,
}

impl Crowd {
    /// Nobody yet.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            members: Vec::new(),
            events: Vec::with_capacity(EVENTS),
            buffer: vec![0; READ_MAX],
            tally: Tally::default(),
        })
    }

    /// Takes somebody in who has entered. Returns their place.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn add(&mut self, stream: TcpStream, role: Role) -> io::Result<usize> {
        stream.set_nonblocking(true)?;
        let place = self.members.len();
        if role != Role::Stalled {
            let data = epoll::EventData::new_u64(place as u64);
            epoll::add(&self.epoll, &stream, data, epoll::EventFlags::IN)?;
        }
        let (scanner, next, unsent) = (Scanner::default(), HashMap::new(), Vec::new());
        self.members.push(Member { stream, role, scanner, next, unsent, heard: Vec::new(), people: 0 });
        Ok(place)
    }

    /// Has one of them send bytes, as soon as their socket takes them.
    ///
    /// # Errors
    /// The socket's.
    pub(crate) fn send(&mut self, place: usize, bytes: &[u8]) -> io::Result<()> {
        let member = &mut self.members[place];
        member.unsent.extend_from_slice(bytes);
        member.send()
    }

    /// Waits until somebody hears something, for so long at most, and reads what there is. Each message
    /// that counts is handed over with the time.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn hear(&mut self, wait: Duration, mut take: impl FnMut(Mark)) -> io::Result<bool> {
        let timeout = Timespec::try_from(wait).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        for event in &self.events {
            let member = &mut self.members[event.data.u64() as usize];
            if !member.unsent.is_empty() {
                member.send()?;
            }
            if !member.read(&mut self.buffer, &mut self.tally, &mut take) {
                self.tally.ended += 1;
                epoll::delete(&self.epoll, &member.stream)?;
            }
        }
        Ok(!self.events.is_empty())
    }

    /// Reads until nobody has heard anything for so long.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn settle(&mut self, quiet: Duration) -> io::Result<()> {
        while self.hear(quiet, |_| {})? {}
        Ok(())
    }

    /// How many people there are, as far as one of them knows.
    pub(crate) fn knows(&self, place: usize) -> u64 {
        self.members[place].people
    }

    /// Everybody but one of them goes.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn keep_only(&mut self, place: usize) -> io::Result<()> {
        for (at, member) in self.members.iter().enumerate() {
            if at != place {
                member.stream.shutdown(std::net::Shutdown::Both)?;
                epoll::delete(&self.epoll, &member.stream)?;
            }
        }
        Ok(())
    }

    /// Makes room for so many more at once, so that this program grows before something is measured.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.members.reserve(more);
    }
}

impl Member {
    fn send(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match (&self.stream).write(&self.unsent) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// One read. `false` if the connection has ended.
    fn read(&mut self, buffer: &mut [u8], tally: &mut Tally, take: &mut impl FnMut(Mark)) -> bool {
        let len = match (&self.stream).read(buffer) {
            Ok(0) => return false,
            Ok(len) => len,
            Err(error) => {
                return matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
            }
        };
        tally.bytes += len as u64;
        match self.role {
            Role::Reader => {}
            Role::Counter => {
                self.count(&buffer[..len]);
                return true;
            }
            Role::Bystander | Role::Stalled => return true,
        }
        let before = tally.delivered;
        self.scanner.scan(&buffer[..len], |mark| {
            let next = self.next.entry(mark.stream).or_default();
            tally.disorder += u64::from(*next != mark.number);
            *next = mark.number + 1;
            tally.delivered += 1;
            take(mark);
        });
        tally.reads += u64::from(tally.delivered > before);
        true
    }

    /// Remembers the last number of people in what the server has said so far.
    fn count(&mut self, bytes: &[u8]) {
        self.heard.extend_from_slice(bytes);
        let number = |at: usize| -> Option<u64> {
            let digits = &self.heard[at + COUNT.len()..];
            let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
            std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
        };
        self.people = memchr::memmem::rfind(&self.heard, COUNT).and_then(number).unwrap_or(self.people);
        // As much as is needed to know a number that has been cut in two.
        self.heard.drain(..self.heard.len().saturating_sub(COUNT.len() + 20));
    }
}

/// What the server writes before a number of people.
const COUNT: &[u8] = br#""count":"#;
