//! What is said in a crowd, and how fast: so many messages that not everybody has yet, or so many a
//! second. Everything that is sent is waited for, so that what is lost is seen.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{bail, ensure};

use crate::clock::now;
use crate::crowd::{Crowd, Tally};
use crate::door::Protocol;
use crate::histogram::Histogram;
use crate::mark::{MARK_LEN, Mark};
use crate::process::CpuTime;
use crate::random::Random;
use crate::senders::Texts;

/// How much is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// So many messages of each stream are on their way to somebody.
    InFlight(u32),
    /// So many a second in each stream.
    Rate(f64),
}

impl Pace {
    /// Its name in results.
    pub(crate) fn name(self) -> String {
        match self {
            Self::InFlight(count) => format!("{count} in flight"),
            Self::Rate(rate) => format!("{rate} a second"),
        }
    }
}

/// What one client says in one room.
pub(crate) struct Stream {
    /// Whose, by their place in the crowd.
    pub(crate) member: usize,
    /// Where.
    pub(crate) room: String,
    /// How many count each message.
    pub(crate) audience: u32,
}

/// Everything that is said.
pub(crate) struct Traffic {
    streams: Vec<State>,
    protocol: Box<dyn Protocol>,
    /// Whether what is sent has to look as it is to be delivered.
    to_relay: bool,
    texts: Rc<Texts>,
    pace: Pace,
    /// When which stream says something next, if the pace is a rate.
    agenda: BinaryHeap<Reverse<(u64, usize)>>,
}

struct State {
    stream: Stream,
    sent: u32,
    /// Messages that everybody has.
    done: u32,
    /// How many have each of those on their way, by number.
    arrived: Vec<u32>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// How long was measured, in seconds.
    pub(crate) seconds: f64,
    /// What was heard.
    pub(crate) heard: Tally,
    /// What the server used.
    pub(crate) server: CpuTime,
    /// What this program used, in nanoseconds.
    pub(crate) own: u64,
    /// How long after it was sent each message arrived.
    pub(crate) latency: Histogram,
}

impl Traffic {
    /// Says nothing yet.
    pub(crate) fn new(
        protocol: Box<dyn Protocol>,
        to_relay: bool,
        texts: Rc<Texts>,
        pace: Pace,
        streams: Vec<Stream>,
    ) -> Self {
        let places = match pace {
            Pace::InFlight(count) => count as usize,
            Pace::Rate(_) => 0,
        };
        let state = |stream| State { stream, sent: 0, done: 0, arrived: vec![0; places] };
        let streams = streams.into_iter().map(state).collect();
        Self { streams, protocol, to_relay, texts, pace, agenda: BinaryHeap::new() }
    }

    /// Talks for `warm_up` and for `seconds`, of which the second counts, and waits until everything has
    /// arrived. `server` tells what the server has used so far.
    ///
    /// # Errors
    /// If anything is lost, doubled or out of order, or if the server ends a connection.
    pub(crate) fn run(
        &mut self,
        crowd: &mut Crowd,
        seconds: f64,
        server: impl Fn() -> anyhow::Result<CpuTime>,
    ) -> anyhow::Result<Outcome> {
        let begun = now();
        let (warm, end) = (begun + nanoseconds(seconds.min(1.0) / 2.0), nanoseconds(seconds));
        self.begin(begun);
        let mut latency = Histogram::default();
        let mut start: Option<(u64, CpuTime, u64, Tally)> = None;
        let (measured_from, cpu, own, tally) = loop {
            let time = now();
            match &start {
                None if time >= warm => {
                    latency = Histogram::default();
                    start = Some((time, server()?, own_time()?, crowd.tally));
                }
                Some((since, ..)) if time >= since + end => break start.take().expect("it has begun"),
                _ => {}
            }
            let wait = self.speak(crowd, time)?;
            self.listen(crowd, wait, &mut latency)?;
        };
        let outcome = Outcome {
            seconds: (now() - measured_from) as f64 / 1e9,
            heard: crowd.tally.since(&tally),
            server: server()?.since(&cpu),
            own: own_time()? - own,
            latency: latency.clone(),
        };
        self.wait_for_all(crowd)?;
        Ok(outcome)
    }

    /// Streams begin at different moments.
    fn begin(&mut self, time: u64) {
        let Pace::Rate(rate) = self.pace else { return };
        let mut random = Random::new(1);
        let interval = (1e9 / rate) as u64;
        let first = |at| Reverse((time + random.below(interval.max(1)), at));
        self.agenda = (0..self.streams.len()).map(first).collect();
    }

    /// Says all that is due. Returns how long nothing more will be.
    fn speak(&mut self, crowd: &mut Crowd, time: u64) -> anyhow::Result<Duration> {
        let mut out = Vec::new();
        match self.pace {
            Pace::InFlight(count) => {
                for at in 0..self.streams.len() {
                    while self.streams[at].sent - self.streams[at].done < count {
                        self.write_next(at, time, &mut out);
                    }
                    if !out.is_empty() {
                        crowd.send(self.streams[at].stream.member, &out)?;
                        out.clear();
                    }
                }
                Ok(Duration::from_millis(100))
            }
            Pace::Rate(rate) => {
                let interval = (1e9 / rate) as u64;
                while let Some(&Reverse((due, at))) = self.agenda.peek() {
                    if due > time {
                        return Ok(Duration::from_nanos(due - time));
                    }
                    self.agenda.pop();
                    self.agenda.push(Reverse((due + interval, at)));
                    self.write_next(at, time, &mut out);
                    crowd.send(self.streams[at].stream.member, &out)?;
                    out.clear();
                }
                Ok(Duration::from_millis(100))
            }
        }
    }

    fn write_next(&mut self, at: usize, time: u64, out: &mut Vec<u8>) {
        let State { stream, sent, .. } = &mut self.streams[at];
        let mut text = Vec::with_capacity(256);
        Mark { stream: at as u32, number: *sent, sent: time }.write(&mut text);
        text.push(b' ');
        text.extend_from_slice(self.texts.of(u64::from(*sent)).as_bytes());
        *sent += 1;
        match self.to_relay {
            true => self.protocol.delivered(&stream.room, &text, out),
            false => self.protocol.send(&stream.room, &text, out),
        }
    }

    fn listen(&mut self, crowd: &mut Crowd, wait: Duration, latency: &mut Histogram) -> anyhow::Result<()> {
        let mut time = 0;
        let mut left = 0;
        let in_flight = matches!(self.pace, Pace::InFlight(_));
        let streams = &mut self.streams;
        crowd.hear(wait, |mark| {
            // The clock is looked at once for a few messages, most of which came with one read.
            if left == 0 {
                (time, left) = (now(), 8);
            }
            left -= 1;
            latency.record(time.saturating_sub(mark.sent));
            if in_flight && let Some(state) = streams.get_mut(mark.stream as usize) {
                let len = state.arrived.len();
                let arrived = &mut state.arrived[mark.number as usize % len];
                *arrived += 1;
                if *arrived == state.stream.audience {
                    *arrived = 0;
                    state.done += 1;
                }
            }
        })?;
        ensure!(crowd.tally.ended == 0, "the server has ended a connection");
        Ok(())
    }

    fn wait_for_all(&mut self, crowd: &mut Crowd) -> anyhow::Result<()> {
        let audience = |state: &State| u64::from(state.sent) * u64::from(state.stream.audience);
        let expected: u64 = self.streams.iter().map(audience).sum();
        let mut unused = Histogram::default();
        let give_up = now() + nanoseconds(PATIENCE);
        while crowd.tally.delivered < expected {
            if now() > give_up {
                bail!("{} of {expected} messages have arrived", crowd.tally.delivered);
            }
            self.listen(crowd, Duration::from_millis(100), &mut unused)?;
        }
        ensure!(crowd.tally.delivered == expected, "there are more messages than were sent");
        ensure!(crowd.tally.disorder == 0, "{} messages were out of order", crowd.tally.disorder);
        Ok(())
    }
}

impl Outcome {
    /// The server's processor time for one delivery, in microseconds.
    pub(crate) fn cpu_per_delivery(&self) -> f64 {
        self.server.total() as f64 / 1e3 / self.heard.delivered.max(1) as f64
    }

    /// Messages that one read brought.
    pub(crate) fn batch(&self) -> f64 {
        self.heard.delivered as f64 / self.heard.reads.max(1) as f64
    }
}

impl Tally {
    fn since(&self, earlier: &Self) -> Self {
        Self {
            delivered: self.delivered - earlier.delivered,
            reads: self.reads - earlier.reads,
            bytes: self.bytes - earlier.bytes,
            disorder: self.disorder - earlier.disorder,
            ended: self.ended - earlier.ended,
        }
    }
}

/// How long what was sent may take, in seconds.
const PATIENCE: f64 = 30.0;

/// Bytes of the shortest text.
pub(crate) const TEXT_MIN: usize = MARK_LEN + 2;

fn own_time() -> anyhow::Result<u64> {
    Ok(crate::process::cpu_time(rustix::process::getpid())?.total())
}

fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}
