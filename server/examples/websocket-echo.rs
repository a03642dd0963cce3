//! An echo behind the server's own WebSocket code: the same upgrade, frame codec and connection
//! loop, with a session that sends back what it gets. The conformance cases run against it.

use std::sync::Arc;
use std::task::{Context, Poll};

use crosstalk_protocol::{Disconnect, DisconnectCode};
use crosstalk_server::connection::{self, Door};
use crosstalk_server::http::{Http, HttpOptions};
use crosstalk_server::outgoing::Outgoing;
use crosstalk_server::shutdown::Shutdown;
use crosstalk_server::transport::websocket::frame::{self, Decoder, Incoming, Opcode};
use tokio::net::TcpListener;
use tokio::time::Instant;

/// The largest message of the conformance cases.
const MESSAGE_MAX: usize = 16 * 1024 * 1024;

struct Echo {
    decoder: Decoder,
    close_code: Option<u16>,
}

impl Door for Echo {
    fn receive(&mut self, bytes: &[u8]) {
        self.decoder.push(bytes);
    }

    fn finish(&mut self) {}

    fn accepts_input(&self) -> bool {
        true
    }

    async fn handle(&mut self, out: &mut Outgoing) -> Result<bool, DisconnectCode> {
        let (opcode, payload) = match self.decoder.next_message() {
            None => return Ok(false),
            Some(Ok(Incoming::Pong)) => return Ok(true),
            Some(Ok(Incoming::Text(text))) => (Opcode::Text, text.into_bytes()),
            Some(Ok(Incoming::Binary(data))) => (Opcode::Binary, data),
            Some(Ok(Incoming::Ping(data))) => (Opcode::Pong, data),
            Some(Ok(Incoming::Close(reason))) => {
                self.close_code = reason.map(|(code, _)| code);
                return Err(DisconnectCode::Bye);
            }
            Some(Err(violation)) => {
                self.close_code = Some(violation.close_code());
                return Err(DisconnectCode::ProtocolError);
            }
        };
        out.reply(|bytes| frame::encode(opcode, &payload, bytes));
        Ok(true)
    }

    fn collect(&mut self, _: &mut Outgoing) -> Result<bool, DisconnectCode> {
        Ok(false)
    }

    async fn catch_up(&mut self, _: &mut Outgoing) -> Result<(), DisconnectCode> {
        Ok(())
    }

    fn poll_rung(&self, _: &Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    fn has_news(&self) -> bool {
        false
    }

    fn is_busy(&self) -> bool {
        false
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn tick(&mut self, _: Instant, _: &mut Outgoing) -> Result<(), DisconnectCode> {
        Ok(())
    }

    fn farewell(&mut self, _: &Disconnect, out: &mut Outgoing) {
        let code = self.close_code.unwrap_or(1000);
        out.reply(|bytes| frame::encode_close(code, "", bytes));
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let shutdown = Shutdown::default();
    let http = Arc::new(Http::new(HttpOptions {
        web_dir: None,
        allow_origins: Vec::new(),
        stopping: shutdown.clone(),
        trouble: Arc::new(|| None),
    }));
    loop {
        let (stream, _) = listener.accept().await?;
        let (http, shutdown) = (http.clone(), shutdown.clone());
        tokio::spawn(async move {
            if let Ok(Some((stream, first))) = http.serve(stream, &shutdown).await {
                let door = Echo { decoder: Decoder::new(MESSAGE_MAX), close_code: None };
                connection::run(&stream, door, first, &shutdown).await;
            }
        });
    }
}
