//! Asks a running server whether it is ready, so that a container needs no other program for it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than a server that answers at all takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks `/readyz`.
///
/// # Errors
/// The network's, or that the answer was anything but 200.
pub async fn ask(address: SocketAddr) -> io::Result<()> {
    let answer = timeout(PATIENCE, async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(4096).read_to_end(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    });
    let answer = answer.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    if answer.starts_with(b"HTTP/1.1 200 ") {
        return Ok(());
    }
    let status = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Err(io::Error::other(format!("it answered {:?}", String::from_utf8_lossy(status))))
}
