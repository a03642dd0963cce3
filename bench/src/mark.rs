//! The mark with which each text begins: in which stream, as which number and when it was sent. Whatever
//! a protocol puts around a text, a delivery is a mark that arrives, so that all doors and all servers
//! are measured by the same few instructions.

/// What tells one message from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Which sender's, and of which of their rooms; below 100,000.
    pub(crate) stream: u32,
    /// How many came before it in the stream; below 100,000,000.
    pub(crate) number: u32,
    /// When it was sent, in nanoseconds since the program began; within the first 1,000 seconds.
    pub(crate) sent: u64,
}

/// What a mark begins with; no word of a text has it.
const SIGN: u8 = b'~';
const STREAM_DIGITS: usize = 5;
const NUMBER_DIGITS: usize = 8;
const TIME_DIGITS: usize = 12;

/// Bytes of a mark.
pub(crate) const MARK_LEN: usize = 1 + STREAM_DIGITS + NUMBER_DIGITS + TIME_DIGITS;

impl Mark {
    /// Appends it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(SIGN);
        write_digits(self.stream.into(), STREAM_DIGITS, out);
        write_digits(self.number.into(), NUMBER_DIGITS, out);
        write_digits(self.sent, TIME_DIGITS, out);
    }

    fn parse(bytes: &[u8; MARK_LEN]) -> Option<Self> {
        let [SIGN, digits @ ..] = bytes else { return None };
        let (stream, rest) = digits.split_at(STREAM_DIGITS);
        let (number, sent) = rest.split_at(NUMBER_DIGITS);
        Some(Self { stream: value(stream)? as u32, number: value(number)? as u32, sent: value(sent)? })
    }
}

fn write_digits(mut value: u64, count: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + count, b'0');
    for digit in out[start..].iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

fn value(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |value, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + u64::from(digit))
    })
}

/// Finds marks in a stream of bytes, wherever it is cut.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scanner {
    /// The beginning of a mark whose rest has not come yet.
    held: [u8; MARK_LEN - 1],
    len: u8,
}

impl Scanner {
    /// Hands over each mark that is whole with `bytes`.
    pub(crate) fn scan(&mut self, mut bytes: &[u8], mut take: impl FnMut(Mark)) {
        let held = usize::from(std::mem::take(&mut self.len));
        if held > 0 {
            let mut whole = [0; MARK_LEN];
            let rest = &bytes[..bytes.len().min(MARK_LEN - held)];
            whole[..held].copy_from_slice(&self.held[..held]);
            whole[held..held + rest.len()].copy_from_slice(rest);
            if rest.len() < MARK_LEN - held {
                if self.hold(&whole[..held + rest.len()]) {
                    return;
                }
            } else if let Some(mark) = Mark::parse(&whole) {
                take(mark);
                bytes = &bytes[rest.len()..];
            }
        }
        for at in memchr::memchr_iter(SIGN, bytes) {
            match bytes[at..].first_chunk() {
                Some(whole) => Mark::parse(whole).into_iter().for_each(&mut take),
                None => _ = self.hold(&bytes[at..]),
            }
        }
    }

    /// Keeps the last bytes, if they can be the beginning of a mark.
    fn hold(&mut self, partial: &[u8]) -> bool {
        let can_be = partial[1..].iter().all(u8::is_ascii_digit);
        if can_be {
            self.held[..partial.len()].copy_from_slice(partial);
            self.len = partial.len() as u8;
        }
        can_be
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_wherever_the_bytes_are_cut() {
        let marks = [(0, 0, 1), (99_999, 99_999_999, 999_999_999_999), (7, 42, 123_456)];
        let marks = marks.map(|(stream, number, sent)| Mark { stream, number, sent });
        let mut bytes = b"\x81~\0\x80{\"text\":\"".to_vec();
        for mark in marks {
            mark.write(&mut bytes);
            bytes.extend_from_slice(b" words\"}\n~12\x81~");
        }
        bytes.extend_from_slice(b" and what follows, which is longer than a mark");
        for size in 1..bytes.len() {
            let (mut scanner, mut found) = (Scanner::default(), Vec::new());
            bytes.chunks(size).for_each(|part| scanner.scan(part, |mark| found.push(mark)));
            assert_eq!(found, marks, "in parts of {size} bytes");
        }
    }
}
