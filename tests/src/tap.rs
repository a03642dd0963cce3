//! A link that passes everything on and notes who its client is: what hello says, and the welcome.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::within;

/// A link for one client that speaks JSON over TCP. A second connection finds it closed.
pub struct Tap {
    address: SocketAddr,
    hello: Option<oneshot::Receiver<(Value, Value)>>,
    task: JoinHandle<()>,
}

impl Tap {
    /// Opens a link to `server`.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
        let address = listener.local_addr().expect("a listener has an address");
        let (heard, hello) = oneshot::channel();
        let task = tokio::spawn(async move {
            let (peer, _) = listener.accept().await.expect("a listener accepts");
            drop(listener);
            let upstream = TcpStream::connect(server).await.expect("the port is open");
            let ((from_peer, mut to_peer), (from_server, mut to_server)) =
                (peer.into_split(), upstream.into_split());
            let (mut from_peer, mut from_server) = (BufReader::new(from_peer), BufReader::new(from_server));
            let hello = pass_line(&mut from_peer, &mut to_server).await;
            let welcome = pass_line(&mut from_server, &mut to_peer).await;
            let _ = heard.send((hello, welcome));
            let up = async {
                let _ = copy(&mut from_peer, &mut to_server).await;
                let _ = to_server.shutdown().await;
            };
            let down = async {
                let _ = copy(&mut from_server, &mut to_peer).await;
                let _ = to_peer.shutdown().await;
            };
            tokio::join!(up, down);
        });
        Self { address, hello: Some(hello), task }
    }

    /// Where the client connects to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The hello with which the same client comes back.
    pub async fn same_again(&mut self) -> Value {
        let heard = self.hello.take().expect("it is asked once");
        let (hello, welcome) = within("the client to say hello", heard).await.expect("the link stands");
        json!({ "nick": welcome["nick"], "token": welcome["token"], "client": hello["client"] })
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass_line(
    from: &mut (impl AsyncBufReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
) -> Value {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line).await.expect("a line comes");
    to.write_all(&line).await.expect("the other side reads");
    // Whoever was slow has been greeted as a person might be.
    let object = line.iter().position(|byte| *byte == b'{').map_or(&line[..], |start| &line[start..]);
    serde_json::from_slice(object).expect("it is an object")
}
