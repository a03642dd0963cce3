//! Accepts connections, and sees each to its end in a task of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use crosstalk_protocol::{Disconnect, DisconnectCode, Event};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span, field};

use crate::admission::{Admission, Permit};
use crate::connection::{self, End, hang_up};
use crate::detection::{Kind, detect};
use crate::http::Http;
use crate::hub::Hub;
use crate::limits::{
    KEEPALIVE_AFTER, KEEPALIVE_INTERVAL, LINGER_TIME, TCP_USER_TIMEOUT, TURNED_AWAY_AT_ONCE, UNSENT_MAX,
};
use crate::segment::encode_json;
use crate::session::Session;
use crate::shutdown::Shutdown;
use crate::transport::json::{JsonDoor, Lines};
use crate::transport::line::LineDoor;
use crate::transport::websocket::WebSocket;

/// What every connection shares.
pub struct Context {
    /// Who is here and which rooms there are.
    pub hub: Arc<Hub>,
    /// The page and the way to WebSockets.
    pub http: Http,
    /// Where the page is, for those who look for it elsewhere.
    pub http_port: u16,
    /// Messages a second of one connection.
    pub rate: Option<u32>,
    /// Messages that whoever enters a room on lines is shown.
    pub backlog: Option<usize>,
    /// Who is let in.
    pub admission: Arc<Admission>,
    /// Who is told why not.
    pub turned_away: Arc<Semaphore>,
    /// Every task.
    pub tracker: TaskTracker,
    /// What ends every task.
    pub shutdown: Shutdown,
}

/// Which port a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Lines and JSON.
    Tcp,
    /// The page and WebSockets.
    Http,
}

/// Places for connections over the limit that are told so.
pub fn turned_away_slots() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(TURNED_AWAY_AT_ONCE))
}

/// Accepts connections until the server stops.
pub async fn accept(listener: TcpListener, port: Port, context: Arc<Context>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = context.shutdown.begun() => return,
        };
        match accepted {
            Ok((stream, peer)) => admit(stream, peer, port, &context),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Out of descriptors, most likely. Those who wait are not lost; retrying at once
                // would only burn the processor.
                tracing::error!(%error, "cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// How long to wait after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn admit(stream: TcpStream, peer: SocketAddr, port: Port, context: &Arc<Context>) {
    static NEXT_ID: AtomicU64 = AtomicU64::new(1);
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    match context.admission.admit(peer.ip()) {
        Ok(permit) => {
            let span =
                tracing::info_span!("connection", id, %peer, transport = field::Empty, nick = field::Empty);
            let context = context.clone();
            let tracker = context.tracker.clone();
            match port {
                Port::Tcp => tracker.spawn(tcp(stream, id, context, permit).instrument(span)),
                Port::Http => tracker.spawn(http(stream, id, context, permit).instrument(span)),
            };
        }
        Err(code) => {
            tracing::debug!(id, %peer, ?code, "turned away");
            if let Ok(slot) = context.turned_away.clone().try_acquire_owned() {
                context.tracker.spawn(async move {
                    let _ = timeout(LINGER_TIME, turn_away(&stream, port, code)).await;
                    drop(slot);
                });
            }
        }
    }
}

/// Sees a connection to the TCP port to its end.
async fn tcp(stream: TcpStream, id: u64, context: Arc<Context>, permit: Permit) {
    tracing::debug!("accepted");
    let served = match prepare(&stream) {
        Ok(()) => serve_tcp(&stream, id, &context).await,
        Err(error) => Err(error),
    };
    drop((stream, permit));
    note(served);
}

/// Sees a connection to the HTTP port to its end, or to where it becomes a WebSocket. That gets a task
/// of its own, so that what HTTP took is given back.
async fn http(stream: TcpStream, id: u64, context: Arc<Context>, permit: Permit) {
    tracing::debug!("accepted");
    let served = match prepare(&stream) {
        Ok(()) => context.http.serve(stream, &context.shutdown).await.map_err(io::Error::other),
        Err(error) => Err(error),
    };
    match served {
        Ok(Some((stream, first))) => {
            let task = websocket(stream, first, id, context.clone(), permit).in_current_span();
            context.tracker.spawn(task);
        }
        served => {
            drop(permit);
            Span::current().record("transport", "http");
            note(served.map(|_| None));
        }
    }
}

/// Sees a WebSocket to its end. `first` is what came behind the handshake.
async fn websocket(stream: TcpStream, first: Bytes, id: u64, context: Arc<Context>, permit: Permit) {
    Span::current().record("transport", "websocket");
    let session = Session::new(context.hub.clone(), context.rate).opened_as(id);
    let door = JsonDoor::new(WebSocket::new(), session);
    let end = connection::run(&stream, door, first, &context.shutdown).await;
    drop((stream, permit));
    note(Ok(Some(end)));
}

/// Says in the log how a connection ended.
fn note(served: io::Result<Option<End>>) {
    match served {
        Ok(Some(End::Disconnect(code))) => tracing::info!(?code, "closed"),
        Ok(Some(End::HungUp)) => tracing::info!("hung up"),
        Ok(Some(End::Failed(error))) | Err(error) => tracing::info!(%error, "lost"),
        Ok(None) => tracing::debug!("closed"),
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(
        &TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_INTERVAL).with_retries(4),
    )?;
    socket.set_tcp_notsent_lowat(UNSENT_MAX)?;
    socket.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT))
}

async fn serve_tcp(stream: &TcpStream, id: u64, context: &Context) -> io::Result<Option<End>> {
    let detected = tokio::select! {
        detected = detect(stream, true) => detected?,
        () = context.shutdown.begun() => Err(DisconnectCode::Shutdown),
    };
    Ok(Some(match detected {
        Ok((Kind::Json, first)) => {
            Span::current().record("transport", "json");
            let session = Session::new(context.hub.clone(), context.rate).opened_as(id);
            let door = JsonDoor::new(Lines::default(), session);
            connection::run(stream, door, first, &context.shutdown).await
        }
        Ok((Kind::Lines, first)) => {
            Span::current().record("transport", "lines");
            let from = stream.peer_addr()?.ip().to_canonical();
            let session = Session::passing(context.hub.clone(), context.rate, from);
            connection::run(stream, LineDoor::new(session, context.backlog), first, &context.shutdown).await
        }
        Ok((Kind::Http, _)) => {
            Span::current().record("transport", "http");
            let answer = wrong_port(stream.local_addr()?, context.http_port);
            let _ = timeout(LINGER_TIME, tell(stream, answer.as_bytes())).await;
            return Ok(None);
        }
        Err(code) => {
            let words = format!("\nServer: {}\n", Disconnect::from(code).message);
            let _ = timeout(LINGER_TIME, tell(stream, words.as_bytes())).await;
            End::Disconnect(code)
        }
    }))
}

/// Tells a connection over the limit so, in its own words.
async fn turn_away(stream: &TcpStream, port: Port, code: DisconnectCode) -> io::Result<()> {
    let disconnect = Disconnect::from(code);
    let kind = match port {
        Port::Http => Kind::Http,
        Port::Tcp => detect(stream, false).await?.map_or(Kind::Lines, |(kind, _)| kind),
    };
    let mut words = Vec::new();
    match kind {
        Kind::Lines => words.extend(format!("Server: {}\n", disconnect.message).into_bytes()),
        Kind::Json => encode_json(&Event::Disconnect(disconnect), &mut words),
        Kind::Http => {
            let body = format!("{}\n", disconnect.message);
            let answer = format!(
                "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nContent-Type: text/plain; charset=utf-8\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            words.extend(answer.into_bytes());
        }
    }
    tell(stream, &words).await
}

/// Writes a few bytes and closes.
async fn tell(stream: &TcpStream, mut words: &[u8]) -> io::Result<()> {
    while !words.is_empty() {
        stream.writable().await?;
        match stream.try_write(words) {
            Ok(written) => words = &words[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    hang_up(stream).await
}

/// The answer to a browser that came to the port for lines.
fn wrong_port(mut address: SocketAddr, http_port: u16) -> String {
    address.set_port(http_port);
    let body = format!("This port is for terminals. The page is at http://{address}/\n");
    format!(
        "HTTP/1.1 421 Misdirected Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}
