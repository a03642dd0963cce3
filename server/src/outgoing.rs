//! What waits to be written to one connection: shared runs as they lie in memory, and private
//! replies between them. Holds no memory while it is empty.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::limits::WRITE_BUFFERS;

/// Bytes on their way to one peer, in order.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// The first chunk, which is nearly always the only one; empty only if there is none.
    first: Bytes,
    /// Those behind it.
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
        self.append(bytes);
    }

    fn append(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        if self.first.is_empty() {
            self.first = bytes;
        } else {
            self.chunks.push_back(bytes);
        }
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
            let last = self.chunks.back_mut().unwrap_or(&mut self.first);
            if last.ends_with(b"\n") {
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
            match self.write_once(stream) {
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

    /// One system call. Those that are made for sockets cost less than those for any file.
    fn write_once(&self, stream: &TcpStream) -> io::Result<usize> {
        if self.chunks.is_empty() {
            return stream.try_write(&self.first);
        }
        let mut slices = [IoSlice::new(&[]); WRITE_BUFFERS];
        let mut count = 0;
        for (slice, chunk) in slices.iter_mut().zip(std::iter::once(&self.first).chain(&self.chunks)) {
            *slice = IoSlice::new(chunk);
            count += 1;
        }
        stream.try_io(Interest::WRITABLE, || SockRef::from(stream).send_vectored(&slices[..count]))
    }

    fn advance(&mut self, mut written: usize) {
        self.len -= written;
        while written >= self.first.len() {
            written -= self.first.len();
            match self.chunks.pop_front() {
                Some(chunk) => self.first = chunk,
                None => {
                    self.first = Bytes::new();
                    return;
                }
            }
        }
        self.first.advance(written);
    }

    fn close_replies(&mut self) {
        if !self.replies.is_empty() {
            let replies = Bytes::from(std::mem::take(&mut self.replies));
            self.append(replies);
        }
    }
}
