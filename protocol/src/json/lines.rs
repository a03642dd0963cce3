//! JSON over TCP: one object a line.

use std::collections::VecDeque;

use memchr::memchr_iter;

use crate::ErrorReply;
use crate::limits::FRAME_MAX;

/// Cuts a byte stream into lines of at most [`FRAME_MAX`] bytes. Holds no memory between lines.
#[derive(Debug, Default)]
pub struct LineDecoder {
    ready: VecDeque<Result<Vec<u8>, ErrorReply>>,
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    /// The line whose end has not come is over the limit; what came of it is gone.
    discarding: bool,
}

impl LineDecoder {
    /// Takes the bytes of one read.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut start = 0;
        for end in memchr_iter(b'\n', bytes) {
            self.extend(&bytes[start..end]);
            start = end + 1;
            let mut line = std::mem::take(&mut self.partial);
            if line.ends_with(b"\r") {
                line.pop();
            }
            if std::mem::take(&mut self.discarding) || line.len() > FRAME_MAX {
                self.ready.push_back(Err(ErrorReply::too_long(FRAME_MAX)));
            } else if !line.trim_ascii().is_empty() {
                self.ready.push_back(Ok(line));
            }
        }
        self.extend(&bytes[start..]);
    }

    fn extend(&mut self, bytes: &[u8]) {
        // The last byte may be a CR, which belongs to the line's end.
        if self.partial.len() + bytes.len() > FRAME_MAX + 1 {
            self.discarding = true;
            self.partial = Vec::new();
        }
        if !self.discarding {
            self.partial.extend_from_slice(bytes);
        }
    }

    /// The next whole line, without its LF or CRLF; empty lines are skipped.
    pub fn next_line(&mut self) -> Option<Result<Vec<u8>, ErrorReply>> {
        let line = self.ready.pop_front();
        if self.ready.is_empty() {
            self.ready = VecDeque::new();
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    fn lines(chunks: &[&[u8]]) -> Vec<Result<String, ErrorCode>> {
        let mut decoder = LineDecoder::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            decoder.push(chunk);
            while let Some(line) = decoder.next_line() {
                lines.push(line.map(|line| String::from_utf8(line).unwrap()).map_err(|error| error.code));
            }
        }
        lines
    }

    #[test]
    fn a_line_may_come_in_pieces_and_several_at_once() {
        assert_eq!(
            lines(&[b"{\"a\"", b":1}\n{}\r\n\n", b"{}\n{"]),
            [Ok("{\"a\":1}".to_owned()), Ok("{}".to_owned()), Ok("{}".to_owned())]
        );
    }

    #[test]
    fn a_line_over_the_limit_is_one_error_and_costs_no_memory() {
        let big = vec![b'x'; FRAME_MAX];
        assert_eq!(lines(&[&big, &big, &big, b"\n{}\n"]), [Err(ErrorCode::TooLong), Ok("{}".to_owned())]);
        assert!(lines(&[&big, b"\r\n"])[0].is_ok());
        assert_eq!(lines(&[&big, b"x\n"]), [Err(ErrorCode::TooLong)]);
    }
}
