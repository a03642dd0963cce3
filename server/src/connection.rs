//! One task owns one socket and makes every read, write and decision about time on it. Around the
//! socket stands a [`Door`], which knows the encoding and has the session behind it.
//!
//! The loop never waits for the peer while it has something else to do, gives up on a peer that
//! takes nothing for [`WRITE_TIME`], and reads no further while the peer's own requests are not
//! done, so that what a connection holds is bounded.

use std::future::{Future, poll_fn};
use std::io;
use std::mem::replace;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use crosstalk_protocol::{Disconnect, DisconnectCode};
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep_until, timeout};

use crate::limits::{LINGER_TIME, READ_MAX, REPLIES_MAX, STOP_TIME, WRITE_TIME};
use crate::outgoing::Outgoing;
use crate::shutdown::Shutdown;

/// An encoding with a session behind it. It has no socket and starts no timer.
pub trait Door: Send + Sync {
    /// Takes the bytes of one read.
    fn receive(&mut self, bytes: &[u8]);

    /// The peer will send nothing more.
    fn finish(&mut self);

    /// Whether more input is wanted now.
    fn accepts_input(&self) -> bool;

    /// Handles one piece of the input that has been received. `false` if there is none, or none
    /// that can be handled before something else has happened.
    ///
    /// # Errors
    /// The end of the connection.
    fn handle(&mut self, out: &mut Outgoing) -> impl Future<Output = Result<bool, DisconnectCode>> + Send;

    /// Puts what is new into `out`, about [`WRITE_MAX`](crate::limits::WRITE_MAX) bytes at most. `true`
    /// if memory has not everything, and [`Door::catch_up`] is next.
    ///
    /// # Errors
    /// The end of the connection.
    fn collect(&mut self, out: &mut Outgoing) -> Result<bool, DisconnectCode>;

    /// Puts as much of what memory has not into `out`.
    ///
    /// # Errors
    /// The end of the connection.
    fn catch_up(&mut self, out: &mut Outgoing) -> impl Future<Output = Result<(), DisconnectCode>> + Send;

    /// Ready if [`Door::collect`] may have something that it had not before.
    fn poll_rung(&self, context: &Context<'_>) -> Poll<()>;

    /// Whether [`Door::collect`] may have something now.
    fn has_news(&self) -> bool;

    /// Whether something that the peer has sent is still being worked on.
    fn is_busy(&self) -> bool;

    /// When [`Door::tick`] is to be called.
    fn deadline(&self) -> Option<Instant>;

    /// The time is `now`.
    ///
    /// # Errors
    /// The end of the connection.
    fn tick(&mut self, now: Instant, out: &mut Outgoing) -> Result<(), DisconnectCode>;

    /// Says the last words, and leaves the hub.
    fn farewell(&mut self, disconnect: &Disconnect, out: &mut Outgoing);
}

/// How a connection ended.
#[derive(Debug)]
pub enum End {
    /// The peer was told why.
    Disconnect(DisconnectCode),
    /// The peer closed its side.
    HungUp,
    /// The network did.
    Failed(io::Error),
}

/// Runs a connection to its end. `first` are bytes that have been read from the socket already: the
/// door has them, and they are gone, before the future begins. It is that of a block, since the one of
/// an `async fn` has room for each argument twice, and every idle connection holds it.
pub fn run<D: Door>(
    stream: &TcpStream,
    mut door: D,
    first: Bytes,
    shutdown: &Shutdown,
) -> impl Future<Output = End> + Send {
    if !first.is_empty() {
        door.receive(&first);
    }
    drop(first);
    async move {
        let mut out = Outgoing::default();
        let end = serve(stream, &mut door, &mut out, shutdown).await;
        match &end {
            End::Disconnect(code) => {
                say_farewell(stream, &mut door, &mut out, &Disconnect::from(*code)).await
            }
            End::HungUp | End::Failed(_) => drop(door),
        }
        end
    }
}

async fn serve<D: Door>(stream: &TcpStream, door: &mut D, out: &mut Outgoing, shutdown: &Shutdown) -> End {
    let mut hung_up = false;
    let mut blocked_since: Option<Instant> = None;
    let mut armed_for = Instant::now() + FAR;
    let mut timer = pin!(sleep_until(armed_for));
    // Whether the timer knows whom to wake.
    let mut armed = false;
    let mut stop = pin!(shutdown.begun());
    // Who is woken when the server stops. To ask for that takes a lock which everybody shares, and is
    // done once: whoever is woken finds that it has begun.
    let mut waiting: Option<Waker> = None;
    let mut stop_by: Option<Instant> = None;
    // A peer that has closed takes nothing more. What it had sent before is still heard, for a while.
    let mut deaf: Option<(io::Error, Instant)> = None;
    // Whether the door has nothing more to handle until something is read or a deadline comes: nothing is
    // under way either. Then what rooms say goes out without a look at the input.
    let mut quiet = false;
    loop {
        // A connection ends after a turn in which there was nothing left to do. That is asked at its
        // beginning: what is under way may be done, and have left mail, at any moment after.
        let settled = !door.is_busy();
        let mut worked = false;
        let mut drained = quiet;
        while !drained && out.replies_len() < REPLIES_MAX {
            let accepts_input = door.accepts_input();
            match door.handle(out).await {
                Ok(true) => {
                    worked = true;
                    consume_budget().await;
                }
                Ok(false) if accepts_input => drained = true,
                Ok(false) => break,
                Err(code) => return End::Disconnect(code),
            }
        }
        quiet = drained && settled;
        if out.is_empty() {
            let collected = match door.collect(out) {
                Ok(true) => door.catch_up(out).await,
                collected => collected.map(drop),
            };
            if let Err(code) = collected {
                return End::Disconnect(code);
            }
        }
        let before = out.len();
        // What rooms have to say does not count: it may never end.
        worked |= out.replies_len() > 0;
        if let Some((error, until)) = deaf.take() {
            if until <= Instant::now() {
                return End::Failed(error);
            }
            deaf = Some((error, until));
            out.clear();
        }
        match out.write_to(stream) {
            Ok(true) => blocked_since = None,
            Ok(false) if out.len() < before => blocked_since = Some(Instant::now()),
            Ok(false) => _ = blocked_since.get_or_insert_with(Instant::now),
            Err(error) => {
                out.clear();
                blocked_since = None;
                deaf.get_or_insert_with(|| (error, Instant::now() + LINGER_TIME));
            }
        }
        let stopping = shutdown.has_begun();
        if out.is_empty() {
            let ending = hung_up || stopping;
            if ending && settled && drained && !worked {
                return match deaf {
                    Some((error, _)) => End::Failed(error),
                    None if stopping => End::Disconnect(DisconnectCode::Shutdown),
                    None => End::HungUp,
                };
            }
            let unfinished = ending && !door.is_busy();
            if unfinished || door.has_news() || (!drained && door.accepts_input()) {
                consume_budget().await;
                continue;
            }
        }

        // The timer is only ever moved forward in time by its own firing: most deadlines move away
        // before they come, and moving a timer costs more than looking at the clock once too often.
        let write_deadline = blocked_since.map(|since| since + WRITE_TIME);
        if stopping {
            stop_by.get_or_insert_with(|| Instant::now() + STOP_TIME);
        }
        let deaf_until = deaf.as_ref().map(|(_, until)| *until);
        let deadline = [door.deadline(), write_deadline, stop_by, deaf_until].into_iter().flatten().min();
        if let Some(deadline) = deadline
            && deadline < armed_for
        {
            armed_for = deadline;
            timer.as_mut().reset(deadline);
            armed = false;
        }

        let reads = !hung_up && !stopping && out.replies_len() < REPLIES_MAX && door.accepts_input();
        // Nobody else waits for the socket, so that there is one place for the one who does. The timer
        // comes first: a peer that always has something to say keeps its deadlines all the same.
        let mut waited = false;
        let woken = poll_fn(|context| {
            // Who has waited was woken by the bell most times. Who has not looks at the socket first, since
            // the bell of a busy room is always rung.
            if replace(&mut waited, true) && out.is_empty() && door.poll_rung(context).is_ready() {
                return Poll::Ready(Ok(Woken::Other));
            }
            if waiting.as_ref().is_none_or(|waker| !waker.will_wake(context.waker())) {
                let _ = stop.as_mut().poll(context);
                waiting = Some(context.waker().clone());
                armed = false;
            }
            // To arm the timer costs more than to look at it.
            if timer.is_elapsed() || (!armed && timer.as_mut().poll(context).is_ready()) {
                return Poll::Ready(Ok(Woken::Timer));
            }
            armed = true;
            if reads && let Poll::Ready(ready) = stream.poll_read_ready(context) {
                return Poll::Ready(ready.map(|()| Woken::Readable));
            }
            let wakes = match out.is_empty() {
                true => door.poll_rung(context).map(Ok),
                false => stream.poll_write_ready(context),
            };
            if let Poll::Ready(ready) = wakes {
                return Poll::Ready(ready.map(|()| Woken::Other));
            }
            match !stopping && shutdown.has_begun() {
                true => Poll::Ready(Ok(Woken::Other)),
                false => Poll::Pending,
            }
        });
        match woken.await {
            Ok(Woken::Other) => {}
            Ok(Woken::Readable) => match read(stream, door) {
                Ok(closed) => (hung_up, quiet) = (closed, false),
                Err(error) => return End::Failed(error),
            },
            Ok(Woken::Timer) => {
                quiet = false;
                let now = Instant::now();
                if write_deadline.is_some_and(|deadline| deadline <= now) {
                    return End::Disconnect(DisconnectCode::WriteTimeout);
                }
                if stop_by.is_some_and(|deadline| deadline <= now) {
                    return End::Disconnect(DisconnectCode::Shutdown);
                }
                if let Err(code) = door.tick(now, out) {
                    return End::Disconnect(code);
                }
                armed_for = now + FAR;
                timer.as_mut().reset(armed_for);
                armed = false;
            }
            Err(error) => return End::Failed(error),
        }
    }
}

/// Why a connection's task goes on.
enum Woken {
    /// A deadline may have come.
    Timer,
    /// There is something to read from the socket.
    Readable,
    /// There is something to write, or room for it; or the server stops.
    Other,
}

/// A time at which nothing happens.
const FAR: Duration = Duration::from_secs(3600);

/// Gives the door what one read brings. `true` if the peer has closed its side. The buffer is on
/// the stack, so that an idle connection has none.
fn read<D: Door>(stream: &TcpStream, door: &mut D) -> io::Result<bool> {
    let mut buffer = [0; READ_MAX];
    match stream.try_read(&mut buffer) {
        Ok(0) => {
            door.finish();
            Ok(true)
        }
        Ok(len) => {
            door.receive(&buffer[..len]);
            Ok(false)
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Tells the peer why, and closes so that it can still read it.
async fn say_farewell<D: Door>(
    stream: &TcpStream,
    door: &mut D,
    out: &mut Outgoing,
    disconnect: &Disconnect,
) {
    let takes_nothing = disconnect.code == DisconnectCode::WriteTimeout;
    if !takes_nothing {
        // Receipts of what is in the log. A failing store has its own message, said below.
        if let Ok(true) = door.collect(out) {
            let _ = door.catch_up(out).await;
        }
    }
    door.farewell(disconnect, out);
    if takes_nothing {
        // What is buffered in the kernel would keep the socket for minutes.
        let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        return;
    }
    let _ = timeout(LINGER_TIME, async {
        while !out.write_to(stream)? {
            stream.writable().await?;
        }
        hang_up(stream).await
    })
    .await;
}

/// Closes the sending side and waits for the peer to close, too: closing a socket with unread
/// input would destroy the last words on their way (RFC 1122, 4.2.2.13).
pub async fn hang_up(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).shutdown(std::net::Shutdown::Write)?;
    loop {
        stream.readable().await?;
        let mut buffer = [0; 512];
        match stream.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
}
