//! Bytes to messages: where a line ends, and what a peer that ends no line has said.
//!
//! A line ends with LF, CRLF or CR NUL (the first two by custom, the last by RFC 854). A CR before
//! anything else is part of the line, so that a progress bar is one message and not a hundred. Until
//! its first line ending a peer is *unframed*: what has arrived is a message when the caller, who
//! has the clock, says that nothing more came. There a bare CR does end a message, so that a
//! terminal that sends nothing else is understood too.
//!
//! The decoder holds at most one incomplete line and what was pushed last; idle, it holds no heap.

use std::collections::VecDeque;

use memchr::{memchr, memchr2_iter};

use super::telnet::{IAC, Telnet};
use super::unframed::{Expected, take_apart};
use crate::ErrorReply;
use crate::limits::LINE_MAX;

const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();

/// Turns what a line peer sends into messages.
///
/// After each [`push`](Self::push), [`flush`](Self::flush) and [`finish`](Self::finish), take
/// [`next_line`](Self::next_line) until it is `None`.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Text without telnet's commands, from the start of a line on.
    buffer: Vec<u8>,
    /// How much of `buffer` has been given out as messages.
    taken: usize,
    /// How much of `buffer` is known to hold no line ending that was not taken.
    scanned: usize,
    /// Messages of an unframed peer; they come before what is in `buffer`.
    ready: VecDeque<Result<String, ErrorReply>>,
    telnet: Option<Box<Telnet>>,
    /// The line that is arriving is over the limit; what came of it is gone.
    discarding: bool,
    /// Every push since the buffer was empty brought one character.
    typing: bool,
    /// A message has been decoded: the next can have no byte order mark.
    begun: bool,
    framed: bool,
    uses_cr: bool,
    /// What an unframed peer says next.
    expected: Expected,
}

/// How long an unframed peer must be quiet before what has arrived is a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// It came as a program sends: 50 ms.
    Message,
    /// It comes a character at a time, as from somebody typing: 2 s.
    Typing,
}

impl Decoder {
    /// A decoder for a peer that has said nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they came from one read.
    pub fn push(&mut self, bytes: &[u8]) {
        let before = self.buffer.len();
        if self.telnet.is_none() && memchr(IAC, bytes).is_some() {
            self.telnet = Some(Box::default());
        }
        match &mut self.telnet {
            Some(telnet) => telnet.filter(bytes, &mut self.buffer),
            None => self.buffer.extend_from_slice(bytes),
        }
        if self.framed || before == self.buffer.len() {
            return;
        }
        self.typing = (before == 0 || self.typing) && is_one_character(&self.buffer[before..]);
        if let Some(ending) = find_ending(&self.buffer, before) {
            self.framed = true;
            self.uses_cr = ending > 0 && self.buffer[ending - 1] == b'\r';
        }
    }

    /// The next complete message; empty lines are none. After an error, decoding goes on behind
    /// the line that it is about.
    pub fn next_line(&mut self) -> Option<Result<String, ErrorReply>> {
        if let Some(message) = self.ready.pop_front() {
            if self.ready.is_empty() {
                self.ready = VecDeque::new();
            }
            return Some(message);
        }
        while let Some(ending) = find_ending(&self.buffer, self.scanned) {
            let line = self.taken..ending;
            self.taken = ending + 1;
            self.scanned = self.taken;
            let too_long = without_cr(&self.buffer[line.clone()]).len() > LINE_MAX;
            if std::mem::take(&mut self.discarding) || too_long {
                return Some(Err(ErrorReply::too_long(LINE_MAX)));
            }
            let message = message(&self.buffer[line], &mut self.begun);
            if message.is_some() {
                return message;
            }
        }
        self.settle();
        None
    }

    /// Whether bytes of an unframed peer wait for a quiet time, and for how long a one.
    pub fn waiting(&self) -> Option<Waiting> {
        if self.framed || self.buffer.is_empty() && !self.discarding {
            None
        } else if self.typing && !self.buffer.ends_with(b"\r") {
            Some(Waiting::Typing)
        } else {
            Some(Waiting::Message)
        }
    }

    /// The quiet time has passed: what an unframed peer has sent is a message, or several that ran
    /// together. To a framed peer it means nothing.
    pub fn flush(&mut self) {
        if self.framed {
            return;
        }
        let bytes = std::mem::take(&mut self.buffer);
        self.scanned = 0;
        if std::mem::take(&mut self.discarding) || without_cr(&bytes).len() > LINE_MAX {
            self.ready.push_back(Err(ErrorReply::too_long(LINE_MAX)));
            return;
        }
        for part in bytes.split(|&byte| byte == b'\r') {
            match message(part, &mut self.begun) {
                None => {}
                Some(Err(error)) => self.ready.push_back(Err(error)),
                Some(Ok(text)) => {
                    let messages = take_apart(&text, &mut self.expected);
                    self.ready.extend(messages.map(|message| Ok(message.to_owned())));
                }
            }
        }
    }

    /// The peer has closed its side: what is left is its last line, with an ending or without.
    pub fn finish(&mut self) {
        if self.framed {
            self.buffer.push(b'\n');
        } else {
            self.flush();
        }
    }

    /// Whether the peer has ever sent a line ending. Once true, it stays so.
    pub fn is_framed(&self) -> bool {
        self.framed
    }

    /// Whether the peer's first line ending was CRLF or CR NUL.
    pub fn uses_cr(&self) -> bool {
        self.uses_cr
    }

    /// What telnet wants written back: refusals of option requests. Empty, most of the time.
    pub fn take_answers(&mut self) -> Vec<u8> {
        self.telnet.as_mut().map(|telnet| telnet.take_answers()).unwrap_or_default()
    }

    /// Bytes held. Where every message was taken before the next push, at most
    /// [`LINE_MAX`] + 1 and the bytes of one push.
    pub fn buffered(&self) -> usize {
        let ready: usize = self.ready.iter().flatten().map(String::len).sum();
        self.buffer.len() - self.taken + ready
    }

    /// No complete line is left: keeps only what begins the next one, if it can be one.
    fn settle(&mut self) {
        let rest = &self.buffer[self.taken..];
        if self.discarding || without_cr(rest).len() > LINE_MAX {
            self.discarding = true;
            // A CR may be half of a line ending.
            self.buffer = rest[without_cr(rest).len()..].to_vec();
        } else if self.taken > 0 {
            self.buffer = rest.to_vec();
        }
        self.taken = 0;
        self.scanned = self.buffer.len();
    }
}

/// Where the first line ending at or behind `from` has its last byte.
fn find_ending(buffer: &[u8], from: usize) -> Option<usize> {
    memchr2_iter(b'\n', 0, &buffer[from..])
        .map(|at| from + at)
        .find(|&at| buffer[at] == b'\n' || at > 0 && buffer[at - 1] == b'\r')
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The message in a line without its LF or NUL; `None` if the line is empty.
fn message(mut line: &[u8], begun: &mut bool) -> Option<Result<String, ErrorReply>> {
    if !*begun {
        line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    }
    // Telnet pads with NUL; some line endings come as CR CR LF.
    let mut line: Vec<u8> = line.iter().copied().filter(|&byte| byte != 0).collect();
    line.truncate(line.iter().rposition(|&byte| byte != b'\r').map_or(0, |last| last + 1));
    if line.is_empty() {
        return None;
    }
    *begun = true;
    Some(String::from_utf8(line).map_err(|_| ErrorReply::not_utf8()))
}

fn is_one_character(bytes: &[u8]) -> bool {
    let one = |text: &str| text.chars().count() == 1;
    bytes.len() == 1 || bytes.len() <= 4 && std::str::from_utf8(bytes).is_ok_and(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    fn lines(decoder: &mut Decoder) -> Vec<String> {
        std::iter::from_fn(|| decoder.next_line())
            .map(|line| line.unwrap_or_else(|error| format!("{:?}", error.code)))
            .collect()
    }

    fn pushed(decoder: &mut Decoder, bytes: &[u8]) -> Vec<String> {
        decoder.push(bytes);
        lines(decoder)
    }

    fn flushed(decoder: &mut Decoder, bytes: &[u8]) -> Vec<String> {
        assert_eq!(pushed(decoder, bytes), [""; 0]);
        decoder.flush();
        lines(decoder)
    }

    #[test]
    fn a_line_ends_with_lf_crlf_or_cr_nul() {
        for (bytes, uses_cr) in [("a\nb\n", false), ("a\r\nb\n", true), ("a\r\0b\r\0", true)] {
            let mut decoder = Decoder::new();
            assert_eq!(pushed(&mut decoder, bytes.as_bytes()), ["a", "b"], "{bytes:?}");
            assert!(decoder.is_framed());
            assert_eq!(decoder.uses_cr(), uses_cr, "{bytes:?}");
        }
    }

    #[test]
    fn a_line_ending_may_be_cut_in_two() {
        let mut decoder = Decoder::new();
        assert_eq!(pushed(&mut decoder, b"alice\r"), [""; 0]);
        assert_eq!(pushed(&mut decoder, b"\n"), ["alice"]);
        assert!(decoder.uses_cr());
        assert_eq!(pushed(&mut decoder, b"hi\r"), [""; 0]);
        assert_eq!(pushed(&mut decoder, b"\0"), ["hi"]);
    }

    #[test]
    fn a_bare_cr_is_part_of_a_line_but_ends_an_unframed_message() {
        let mut decoder = Decoder::new();
        assert_eq!(flushed(&mut decoder, b"alice\r"), ["alice"]);
        assert_eq!(flushed(&mut decoder, b"hi\rho\r"), ["hi", "ho"]);
        assert!(!decoder.is_framed());
        assert_eq!(pushed(&mut decoder, b"10%\r20%\r\r\n"), ["10%\r20%"]);
    }

    #[test]
    fn empty_lines_are_no_messages_but_make_a_peer_framed() {
        let mut decoder = Decoder::new();
        assert_eq!(pushed(&mut decoder, b"\r\n\n\0\n\r\0\r\r\n"), [""; 0]);
        assert!(decoder.is_framed() && decoder.uses_cr());
        assert_eq!(decoder.buffered(), 0);
    }

    #[test]
    fn an_unframed_peer_is_waited_for() {
        let mut decoder = Decoder::new();
        assert_eq!(decoder.waiting(), None);
        for (byte, expected) in [(&b"a"[..], Waiting::Typing), ("é".as_bytes(), Waiting::Typing)] {
            decoder.push(byte);
            assert_eq!(decoder.waiting(), Some(expected));
        }
        decoder.push(b"\r");
        assert_eq!(decoder.waiting(), Some(Waiting::Message));
        decoder.flush();
        assert_eq!(lines(&mut decoder), ["aé"]);
        assert_eq!(decoder.waiting(), None);
        decoder.push(b"hello");
        decoder.push(b"x");
        assert_eq!(decoder.waiting(), Some(Waiting::Message));
        decoder.push(b"\nnow framed");
        assert_eq!(decoder.waiting(), None);
        decoder.flush();
        assert_eq!(lines(&mut decoder), ["hellox"]);
    }

    #[test]
    fn messages_that_ran_together_are_taken_apart_only_without_line_endings() {
        let mut decoder = Decoder::new();
        assert_eq!(flushed(&mut decoder, b"alice/broadcasthi"), ["alice", "/broadcast", "hi"]);
        assert_eq!(flushed(&mut decoder, b"/members/broadcast"), ["/members", "/broadcast"]);
        assert_eq!(flushed(&mut decoder, b"/members/get_rooms"), ["/members/get_rooms"]);
        assert_eq!(pushed(&mut decoder, b"/members/get_rooms\n"), ["/members/get_rooms"]);
    }

    #[test]
    fn what_is_left_at_the_end_is_a_line() {
        let mut decoder = Decoder::new();
        decoder.push(b"alice");
        decoder.finish();
        assert_eq!(lines(&mut decoder), ["alice"]);
        let mut decoder = Decoder::new();
        decoder.push(b"alice\nhi/members");
        decoder.finish();
        assert_eq!(lines(&mut decoder), ["alice", "hi/members"]);
        decoder.finish();
        assert_eq!(lines(&mut decoder), [""; 0]);
    }

    #[test]
    fn a_line_over_the_limit_is_one_error_however_it_arrives() {
        for piece in [1, 7, 4096, 100_000] {
            let mut decoder = Decoder::new();
            let mut bytes = b"alice\n".to_vec();
            bytes.extend(vec![b'x'; LINE_MAX]);
            bytes.extend(b"\r\n");
            bytes.extend(vec![b'x'; LINE_MAX + 1]);
            bytes.extend(b"\r\0");
            bytes.extend(vec![b'x'; 60_000]);
            bytes.extend(b"\nhi\n");
            let all: Vec<String> =
                bytes.chunks(piece).flat_map(|chunk| pushed(&mut decoder, chunk)).collect();
            assert_eq!(all.len(), 5, "{piece}");
            assert_eq!(all[1].len(), LINE_MAX);
            assert_eq!(all[2..], ["TooLong", "TooLong", "hi"]);
        }
    }

    #[test]
    fn an_unframed_message_over_the_limit_is_one_error() {
        let mut decoder = Decoder::new();
        for _ in 0..100 {
            assert_eq!(pushed(&mut decoder, &[b'x'; 1000]), [""; 0]);
            assert!(decoder.buffered() <= LINE_MAX + 1);
        }
        assert_eq!(decoder.waiting(), Some(Waiting::Message));
        decoder.flush();
        assert_eq!(lines(&mut decoder), ["TooLong"]);
        assert_eq!(flushed(&mut decoder, b"alice/quit"), ["alice", "/quit"]);
    }

    #[test]
    fn invalid_utf8_refuses_its_own_line() {
        let mut decoder = Decoder::new();
        assert_eq!(
            pushed(&mut decoder, b"a\n\xE9t\xE9\nb\n\xFFx\nc\n"),
            ["a", "NotUtf8", "b", "NotUtf8", "c"]
        );
        let mut decoder = Decoder::new();
        decoder.push(b"\xE9");
        decoder.flush();
        let error = decoder.next_line().unwrap().unwrap_err();
        assert_eq!(error.code, ErrorCode::NotUtf8);
    }

    #[test]
    fn a_byte_order_mark_at_the_very_start_is_ignored() {
        let mut decoder = Decoder::new();
        assert_eq!(
            pushed(&mut decoder, "\u{FEFF}\na\u{FEFF}\n\u{FEFF}b\n".as_bytes()),
            ["a\u{FEFF}", "\u{FEFF}b"]
        );
    }

    #[test]
    fn telnet_is_answered_and_taken_out() {
        let mut decoder = Decoder::new();
        assert_eq!(decoder.take_answers().capacity(), 0);
        decoder.push(b"\xFF\xFB\x1F");
        assert_eq!(decoder.waiting(), None, "a request is no text");
        assert_eq!(decoder.take_answers(), b"\xFF\xFE\x1F");
        assert_eq!(pushed(&mut decoder, b"al\xFF\xFD\x01ice\r\xFF\xF1\n"), ["alice"]);
        assert_eq!(decoder.take_answers(), b"\xFF\xFC\x01");
        assert_eq!(pushed(&mut decoder, b"x\xFF\xFFy\n"), ["NotUtf8"]);
    }

    #[test]
    fn an_idle_decoder_is_small_and_holds_no_heap() {
        assert!(size_of::<Decoder>() <= 96, "{}", size_of::<Decoder>());
        let mut decoder = Decoder::new();
        flushed(&mut decoder, b"alice/members/get_rooms");
        pushed(&mut decoder, b"hello\nand\n");
        assert_eq!(decoder.buffer.capacity() + decoder.ready.capacity(), 0);
        pushed(&mut decoder, &[b"x".repeat(5000).as_slice(), b"\ny"].concat());
        assert!(decoder.buffer.capacity() < 64);
    }
}
