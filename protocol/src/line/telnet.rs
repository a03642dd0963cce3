//! Telnet's own commands (RFC 854, RFC 855): taken out of the text, option requests refused.
//!
//! A plain TCP peer never gets here: the byte IAC, 255, is in no UTF-8 text. What is kept is
//! bounded, whatever the peer sends, and every answer is bounded too.

use memchr::memchr;

/// "Interpret as command", the byte before each of telnet's commands.
pub(super) const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SB: u8 = 250;
const SE: u8 = 240;
/// The smallest byte that is a command behind IAC (EOF, RFC 1184).
const FIRST_COMMAND: u8 = 236;
/// The option TIMING-MARK (RFC 860).
const TIMING_MARK: u8 = 6;

/// Longest subnegotiation that is skipped. None can come from a correct peer, since no option is
/// ever agreed to; the bound keeps one that never ends from swallowing all that follows.
const SUBNEGOTIATION_MAX: u16 = 1024;

/// A peer that has sent IAC at least once.
#[derive(Debug, Default)]
pub(super) struct Telnet {
    state: State,
    /// The requests that were answered, a bit for each: all of DO, then all of WILL.
    answered: [u64; 8],
    answers: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Text,
    /// Behind IAC.
    Command,
    /// Behind IAC and one of DO, DONT, WILL and WONT.
    Option(u8),
    /// Behind IAC SB, so many bytes.
    Subnegotiation(u16),
    /// Behind IAC within a subnegotiation.
    SubnegotiationCommand(u16),
}

impl Telnet {
    /// Appends to `text` what of `bytes` is text.
    pub(super) fn filter(&mut self, mut bytes: &[u8], text: &mut Vec<u8>) {
        loop {
            if matches!(self.state, State::Text) {
                let end = memchr(IAC, bytes).unwrap_or(bytes.len());
                text.extend_from_slice(&bytes[..end]);
                bytes = &bytes[end..];
            }
            let Some((&byte, rest)) = bytes.split_first() else { return };
            self.step(byte, text);
            bytes = rest;
        }
    }

    /// What to write back; nothing, most of the time.
    pub(super) fn take_answers(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.answers)
    }

    fn step(&mut self, byte: u8, text: &mut Vec<u8>) {
        self.state = match self.state {
            State::Text => State::Command,
            State::Command => match byte {
                IAC => {
                    text.push(IAC);
                    State::Text
                }
                DO | DONT | WILL | WONT => State::Option(byte),
                SB => State::Subnegotiation(0),
                FIRST_COMMAND.. => State::Text,
                // Not telnet, but Latin-1 or noise: kept, so that the line is refused with a reply
                // rather than sent with a letter missing.
                _ => {
                    text.extend([IAC, byte]);
                    State::Text
                }
            },
            State::Option(verb) => {
                self.refuse(verb, byte);
                State::Text
            }
            State::Subnegotiation(SUBNEGOTIATION_MAX..) => State::Text,
            State::Subnegotiation(length) if byte == IAC => State::SubnegotiationCommand(length + 1),
            State::Subnegotiation(length) => State::Subnegotiation(length + 1),
            State::SubnegotiationCommand(_) if byte == SE => State::Text,
            State::SubnegotiationCommand(length) => State::Subnegotiation(length + 1),
        };
    }

    /// Answers DO with WONT and WILL with DONT. The statements DONT and WONT are not answered
    /// (RFC 854), and each request only once, so that there can be no loop and no flood. Timing
    /// marks are the exception: a telnet client discards output from its user's Ctrl-C until the
    /// answer, each time; it gets one answer for all that came before the answers were taken.
    fn refuse(&mut self, verb: u8, option: u8) {
        let (row, refusal) = match verb {
            DO => (0, WONT),
            WILL => (4, DONT),
            _ => return,
        };
        let answer = [IAC, refusal, option];
        let word = &mut self.answered[row + usize::from(option / 64)];
        let bit = 1 << (option % 64);
        let again = *word & bit != 0;
        let pending = self.answers.chunks(answer.len()).any(|earlier| earlier == answer);
        if !again || (verb == DO && option == TIMING_MARK && !pending) {
            *word |= bit;
            self.answers.extend(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(telnet: &mut Telnet, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        telnet.filter(bytes, &mut text);
        text
    }

    #[test]
    fn requests_are_refused_once_and_statements_are_not_answered() {
        let mut telnet = Telnet::default();
        let hello = [IAC, WILL, 31, b'a', IAC, DO, 1, b'b', IAC, DONT, 1, IAC, WONT, 31, IAC, WILL, 31];
        assert_eq!(filtered(&mut telnet, &hello), b"ab");
        assert_eq!(telnet.take_answers(), [IAC, DONT, 31, IAC, WONT, 1]);
        assert_eq!(filtered(&mut telnet, &hello), b"ab");
        assert!(telnet.take_answers().is_empty());
    }

    #[test]
    fn every_timing_mark_that_is_waited_for_is_answered() {
        let mut telnet = Telnet::default();
        for _ in 0..3 {
            filtered(&mut telnet, &[IAC, DO, TIMING_MARK].repeat(1000));
            assert_eq!(telnet.take_answers(), [IAC, WONT, TIMING_MARK]);
        }
    }

    #[test]
    fn a_flood_of_requests_is_answered_within_bounds() {
        let mut telnet = Telnet::default();
        for _ in 0..10 {
            for verb in [DO, WILL, DONT, WONT] {
                for option in 0..=255 {
                    filtered(&mut telnet, &[IAC, verb, option]);
                }
            }
        }
        assert_eq!(telnet.take_answers().len(), 2 * 256 * 3);
    }

    #[test]
    fn a_subnegotiation_is_skipped_even_if_it_never_ends() {
        let mut telnet = Telnet::default();
        let window = [b'a', IAC, SB, 31, 0, IAC, IAC, 0, b'\n', IAC, SE, b'b'];
        assert_eq!(filtered(&mut telnet, &window), b"ab");
        let mut endless = vec![IAC, SB];
        endless.extend([b'x'; 5000]);
        assert!(filtered(&mut telnet, &endless).len() > 3000);
    }

    #[test]
    fn a_byte_that_is_no_command_stays_in_the_text() {
        assert_eq!(filtered(&mut Telnet::default(), &[IAC, b'a', IAC, IAC, b'b']), [IAC, b'a', IAC, b'b']);
    }
}
