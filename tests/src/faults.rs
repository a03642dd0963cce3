//! What networks and strangers do: resets, dribbles, readers that never read, links that break.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use crate::within;

/// Ends a connection with a reset instead of a goodbye.
pub fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket takes options");
}

/// A connection of somebody who will read next to nothing: its window is as small as the system
/// lets it be.
pub async fn deaf(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("there are sockets");
    socket.set_recv_buffer_size(1).expect("a socket takes options");
    within("a connection", socket.connect(address)).await.expect("the port is open")
}

/// Sends bytes one by one, each in a segment of its own.
pub async fn dribble(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    dribble_into(stream, bytes).await
}

/// The same into anything that does not gather what it is given.
pub(crate) async fn dribble_into(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    for byte in bytes {
        within("a byte to be sent", to.write_all(std::slice::from_ref(byte))).await?;
    }
    Ok(())
}

/// How a link treats what the server sends. What the peer sends passes unharmed.
#[derive(Clone, Copy, Debug)]
pub enum Link {
    /// One byte a write.
    Dribble,
    /// Resets both sides once this many bytes have passed.
    ResetAfter(usize),
}

/// A link between peers and the server, on a port of its own.
pub struct Proxy {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Opens a link to `server`.
    pub async fn start(server: SocketAddr, link: Link) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
        let address = listener.local_addr().expect("a listener has an address");
        let task = tokio::spawn(async move {
            while let Ok((peer, _)) = listener.accept().await {
                let Ok(upstream) = TcpStream::connect(server).await else { return };
                tokio::spawn(carry(peer, upstream, link));
            }
        });
        Self { address, task }
    }

    /// Where peers connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries bytes both ways until one side ends or the link breaks.
async fn carry(mut peer: TcpStream, mut server: TcpStream, link: Link) {
    let mut passed = 0;
    let (mut up, mut down) = ([0; 4096], [0; 4096]);
    loop {
        tokio::select! {
            read = peer.read(&mut up) => match read {
                Ok(length) if length > 0 => {
                    if server.write_all(&up[..length]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
            read = server.read(&mut down) => match (read, link) {
                (Ok(length), Link::Dribble) if length > 0 => {
                    if dribble(&mut peer, &down[..length]).await.is_err() {
                        return;
                    }
                }
                (Ok(length), Link::ResetAfter(limit)) if length > 0 => {
                    let length = length.min(limit - passed);
                    passed += length;
                    if peer.write_all(&down[..length]).await.is_err() || passed == limit {
                        reset(server);
                        return reset(peer);
                    }
                }
                _ => return,
            },
        }
    }
}
