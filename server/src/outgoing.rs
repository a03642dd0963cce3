//! What waits to be written to one connection: shared runs as they lie in memory, and private
//! replies between them. Holds no memory while it is empty.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};
use tokio::net::TcpStream;

use crate::limits::WRITE_BUFFERS;

/// Bytes on their way to one peer, in order.
#[derive(Debug, Default)]
pub struct Outgoing {
    chunks: VecDeque<Bytes>,
    /// The open end, to which private replies are appended.
    replies: Vec<u8>,
    len: usize,
    /// Private bytes since the last time that nothing waited.
    replied: usize,
}

impl Outgoing {
    /// Puts shared bytes at the end, without copying them.
    pub fn push(&mut self, bytes: Bytes) {
        self.close_replies();
        self.len += bytes.len();
        self.chunks.push_back(bytes);
    }

    /// Appends private bytes with `encode`.
    pub fn reply(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        let before = self.replies.len();
        encode(&mut self.replies);
        self.replied += self.replies.len() - before;
    }

    /// Removes a line feed at the very end.
    pub fn trim_line_feed(&mut self) {
        if self.replies.is_empty() {
            if let Some(last) = self.chunks.back_mut()
                && last.ends_with(b"\n")
            {
                last.truncate(last.len() - 1);
                self.len -= 1;
            }
        } else if self.replies.ends_with(b"\n") {
            self.replies.pop();
        }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.len + self.replies.len()
    }

    /// Private bytes that may still wait. What a room has to say does not count: a peer with much to
    /// read can still speak.
    pub fn replies_len(&self) -> usize {
        self.replied
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Writes what the socket takes at once. `true` if that was everything.
    ///
    /// # Errors
    /// The socket's, but not that it would block.
    pub fn write_to(&mut self, stream: &TcpStream) -> io::Result<bool> {
        self.close_replies();
        while self.len > 0 {
            let mut slices = [IoSlice::new(&[]); WRITE_BUFFERS];
            let mut count = 0;
            for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
                *slice = IoSlice::new(chunk);
                count += 1;
            }
            match stream.try_write_vectored(&slices[..count]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.chunks = VecDeque::new();
        self.replied = 0;
        Ok(true)
    }

    fn advance(&mut self, mut written: usize) {
        self.len -= written;
        while let Some(chunk) = self.chunks.front_mut() {
            if written < chunk.len() {
                chunk.advance(written);
                return;
            }
            written -= chunk.len();
            self.chunks.pop_front();
        }
    }

    fn close_replies(&mut self) {
        if !self.replies.is_empty() {
            let replies = Bytes::from(std::mem::take(&mut self.replies));
            self.len += replies.len();
            self.chunks.push_back(replies);
        }
    }
}
