//! A link as bad as links get: a proxy that delays, stalls, delivers single bytes, and cuts, resets
//! and half-closes in the middle of whatever passes.
//!
//! What happens to a link depends on the seed, on how many links there were before it, and on the
//! bytes that pass; not on the time. How bytes are divided between reads is the system's affair, and
//! the one thing that differs between two runs.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::Random;
use crate::faults::{dribble_into, reset};

/// A proxy before one port of the server.
pub struct FlakyProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    server: SocketAddr,
    seed: u64,
    /// Whether everything passes unharmed at the moment.
    calm: AtomicBool,
    /// Cuts every link when it changes.
    cut: watch::Sender<()>,
    counts: [AtomicUsize; 6],
}

/// What can happen to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Both ends are closed, wherever in a frame that is.
    Cut,
    /// Both ends are reset, which throws away what they have not read.
    Reset,
    /// One direction ends; the other goes on for a moment.
    HalfClose,
    /// A part is kept back for a while.
    Stall,
    /// A part comes a little later.
    Delay,
    /// A part comes byte by byte.
    Dribble,
}

impl Fault {
    /// All that there are.
    pub const ALL: [Self; 6] =
        [Self::Cut, Self::Reset, Self::HalfClose, Self::Stall, Self::Delay, Self::Dribble];
}

/// How long a link that is closed in one direction goes on in the other.
const HALF_LIFE: Duration = Duration::from_millis(200);

impl FlakyProxy {
    /// Opens a bad link to `server`.
    pub async fn start(server: SocketAddr, seed: u64) -> Self {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), server, seed).await.expect("there are ports")
    }

    /// The same at an address.
    pub async fn start_on(listen: SocketAddr, server: SocketAddr, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            server,
            seed,
            calm: AtomicBool::new(false),
            cut: watch::Sender::new(()),
            counts: Default::default(),
        });
        let task = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { address, shared, task })
    }

    /// Where peers connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on everything passes unharmed, or does not any more.
    pub fn set_calm(&self, calm: bool) {
        self.shared.calm.store(calm, Ordering::Relaxed);
    }

    /// Resets every link that there is.
    pub fn cut_all(&self) {
        self.shared.cut.send_replace(());
    }

    /// How often something has happened to a link.
    pub fn count(&self, fault: Fault) -> usize {
        self.shared.counts[fault as usize].load(Ordering::Relaxed)
    }

    /// How many links have been broken.
    pub fn breaks(&self) -> usize {
        [Fault::Cut, Fault::Reset, Fault::HalfClose].into_iter().map(|fault| self.count(fault)).sum()
    }
}

impl Drop for FlakyProxy {
    fn drop(&mut self) {
        self.task.abort();
        self.cut_all();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut number = 0;
    loop {
        match listener.accept().await {
            Ok((peer, _)) => {
                number += 1;
                tokio::spawn(carry(peer, number, shared.clone()));
            }
            // Descriptors can run out for a moment.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Carries bytes both ways until both sides have ended or the link breaks.
async fn carry(mut peer: TcpStream, number: u64, shared: Arc<Shared>) {
    let mut cut = shared.cut.subscribe();
    let Ok(mut server) = TcpStream::connect(shared.server).await else { return reset(peer) };
    let _ = (peer.set_nodelay(true), server.set_nodelay(true));
    let mut random = Random::new(shared.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let link = Link::new(&mut random, &shared);
    let ended_by = {
        let (from_peer, to_peer) = peer.split();
        let (from_server, to_server) = server.split();
        let mut up = pin!(link.pump(from_peer, to_server, Random::new(random.bits())));
        let mut down = pin!(link.pump(from_server, to_peer, Random::new(random.bits())));
        tokio::select! {
            end = &mut up => link.linger(end, down).await,
            end = &mut down => link.linger(end, up).await,
            _ = cut.changed() => {
                shared.count(Fault::Reset);
                Some(Fault::Reset)
            }
        }
    };
    if ended_by == Some(Fault::Reset) {
        reset(server);
        reset(peer);
    }
}

impl Shared {
    fn count(&self, fault: Fault) {
        self.counts[fault as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }
}

/// One connection, and what will become of it.
struct Link<'a> {
    shared: &'a Shared,
    /// How it breaks.
    fault: Fault,
    /// How many bytes pass before that, in both directions together.
    left: AtomicUsize,
}

impl<'a> Link<'a> {
    /// Some break in the first hundred bytes, where a conversation begins, and some after many
    /// thousand.
    fn new(random: &mut Random, shared: &'a Shared) -> Self {
        let fault = *random.pick(&[Fault::Cut, Fault::Reset, Fault::HalfClose]);
        let scale = 64 << random.below(9);
        let left = AtomicUsize::new(scale + random.below(scale));
        Self { shared, fault, left }
    }

    /// Carries bytes one way. Hands over how the link broke; `None` if the other side has ended.
    async fn pump(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        mut random: Random,
    ) -> Option<Fault> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let Ok(length @ 1..) = from.read(&mut buffer).await else {
                let _ = to.shutdown().await;
                return None;
            };
            let (passing, breaks) = self.spend(length);
            if self.deliver(&mut to, &buffer[..passing], &mut random).await.is_err() {
                return None;
            }
            if breaks {
                self.shared.count(self.fault);
                if self.fault == Fault::HalfClose {
                    let _ = to.shutdown().await;
                }
                return Some(self.fault);
            }
        }
    }

    /// How many of `length` bytes pass, and whether the link breaks behind them.
    fn spend(&self, length: usize) -> (usize, bool) {
        if self.shared.is_calm() {
            return (length, false);
        }
        let left = self.left.load(Ordering::Relaxed);
        let passing = length.min(left);
        let breaks = passing == left;
        // A link breaks once.
        self.left.store(if breaks { usize::MAX } else { left - passing }, Ordering::Relaxed);
        (passing, breaks)
    }

    async fn deliver(
        &self,
        to: &mut (impl AsyncWrite + Unpin),
        bytes: &[u8],
        random: &mut Random,
    ) -> io::Result<()> {
        // Drawn for every part, so that those behind it do not depend on what became of it.
        let (chance, amount) = (random.below(64), random.below(100));
        if self.shared.is_calm() {
            return to.write_all(bytes).await;
        }
        match chance {
            0 => {
                self.shared.count(Fault::Stall);
                sleep(Duration::from_millis(20 + amount as u64)).await;
                to.write_all(bytes).await
            }
            1..8 => {
                self.shared.count(Fault::Delay);
                sleep(Duration::from_micros(50 * amount as u64)).await;
                to.write_all(bytes).await
            }
            8..12 => {
                self.shared.count(Fault::Dribble);
                let (singly, rest) = bytes.split_at(amount.min(bytes.len()));
                dribble_into(to, singly).await?;
                to.write_all(rest).await
            }
            _ => to.write_all(bytes).await,
        }
    }

    /// When one direction has ended, the other goes on for a while.
    async fn linger(&self, end: Option<Fault>, other: impl Future<Output = Option<Fault>>) -> Option<Fault> {
        match end {
            None => other.await,
            Some(Fault::HalfClose) => timeout(HALF_LIFE, other).await.unwrap_or(None),
            Some(fault) => Some(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::within;

    /// Sends back whatever it gets.
    async fn echo() -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        (address, task)
    }

    /// Sends `bytes` over a link, each part when the one before it has come back, and hands over
    /// what has come back when the link ends.
    async fn round_trip(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
        let mut stream = within("a connection", TcpStream::connect(address)).await.unwrap();
        let mut back = Vec::new();
        for part in bytes.chunks(500) {
            let wanted = back.len() + part.len();
            if stream.write_all(part).await.is_err() {
                break;
            }
            while back.len() < wanted {
                let Ok(1..) = within("an echo", stream.read_buf(&mut back)).await else { return back };
            }
        }
        back
    }

    #[tokio::test]
    async fn what_passes_a_flaky_link_is_the_beginning_of_what_was_sent() {
        let (address, echo) = echo().await;
        let proxy = FlakyProxy::start(address, 1).await;
        let bytes = Random::new(7).bytes(100_000);
        let mut lengths = Vec::new();
        for _ in 0..60 {
            let back = round_trip(proxy.address(), &bytes).await;
            assert!(bytes.starts_with(&back), "{} bytes came back, and others", back.len());
            lengths.push(back.len());
        }
        assert!(lengths.iter().all(|length| *length < bytes.len()), "no link is that good: {lengths:?}");
        assert!(lengths.iter().any(|length| *length > 0), "something passes: {lengths:?}");
        assert!(Fault::ALL.iter().all(|fault| proxy.count(*fault) > 0), "everything happens");
        assert_eq!(proxy.breaks(), 60);
        echo.abort();
    }

    #[tokio::test]
    async fn a_link_breaks_where_the_seed_says() {
        let at = |seed| {
            let shared = Shared {
                server: SocketAddr::from(([127, 0, 0, 1], 0)),
                seed,
                calm: AtomicBool::new(false),
                cut: watch::Sender::new(()),
                counts: Default::default(),
            };
            let link = Link::new(&mut Random::new(shared.seed), &shared);
            (link.fault as usize, link.left.into_inner())
        };
        assert_eq!(at(5), at(5));
        assert!((0..20).any(|seed| at(seed) != at(5)));
    }

    #[tokio::test]
    async fn a_calm_link_carries_everything_until_it_is_cut() {
        let (address, echo) = echo().await;
        let proxy = FlakyProxy::start(address, 2).await;
        proxy.set_calm(true);
        let bytes = Random::new(8).bytes(1_000_000);
        assert!(round_trip(proxy.address(), &bytes).await == bytes, "everything passes");
        assert_eq!(proxy.breaks(), 0);
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        stream.write_all(b"!").await.unwrap();
        within("an echo", stream.read_u8()).await.unwrap();
        proxy.cut_all();
        let end = within("the end", stream.read_u8()).await.unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::ConnectionReset);
        echo.abort();
    }
}
