//! The server's side of WebSocket frames (RFC 6455, 5): a sans-I/O decoder, and an encoder whose
//! frames are the same for every peer, so that one encoding serves them all.

use std::ops::RangeInclusive;

/// What a peer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A whole text message.
    Text(String),
    /// A whole binary message.
    Binary(Vec<u8>),
    /// To be answered with a pong of the same payload.
    Ping(Vec<u8>),
    /// An answer to a ping, or a sign of life of its own.
    Pong,
    /// The peer closes, with a code and a reason if it gave one.
    Close(Option<(u16, String)>),
}

/// The rule that a peer broke; the connection has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Framing that RFC 6455 forbids.
    Protocol(&'static str),
    /// Text that is not UTF-8.
    NotUtf8,
    /// A message over the limit.
    TooBig,
}

impl Violation {
    /// The code to close with (RFC 6455, 7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            Violation::Protocol(_) => 1002,
            Violation::NotUtf8 => 1007,
            Violation::TooBig => 1009,
        }
    }
}

/// The kinds of frame (RFC 6455, 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// Goes on with a fragmented message.
    Continuation = 0x0,
    /// UTF-8.
    Text = 0x1,
    /// Bytes.
    Binary = 0x2,
    /// The last frame of a side.
    Close = 0x8,
    /// Asks for a pong.
    Ping = 0x9,
    /// Answers a ping.
    Pong = 0xA,
}

impl Opcode {
    fn parse(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xA => Opcode::Pong,
            _ => return None,
        })
    }

    fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }
}

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
/// Longest payload of a control frame (RFC 6455, 5.5).
const CONTROL_MAX: usize = 125;
/// Close codes that a peer may send: those of the registry (RFC 6455, 11.7), and those kept for
/// libraries and applications.
const CLOSE_CODES: [RangeInclusive<u16>; 3] = [1000..=1003, 1007..=1014, 3000..=4999];

/// Turns what a client sends into messages. Holds no heap memory between messages.
#[derive(Debug)]
pub struct Decoder {
    max_message: usize,
    /// Bytes that have not been looked at: a header in pieces, or what came behind a message.
    input: Vec<u8>,
    /// The frame whose payload is arriving.
    frame: Option<Frame>,
    /// The message that is arriving, and what has come of it.
    message: Option<Box<Partial>>,
    /// The payload of the control frame that is arriving.
    control: Vec<u8>,
    /// Nothing is decoded behind a close or a violation.
    done: bool,
}

#[derive(Debug)]
struct Frame {
    opcode: Opcode,
    fin: bool,
    mask: [u8; 4],
    remaining: usize,
}

#[derive(Debug)]
struct Partial {
    text: bool,
    data: Vec<u8>,
    /// How much of a text is known to be UTF-8.
    checked: usize,
}

impl Decoder {
    /// A decoder for messages of at most `max_message` bytes.
    pub fn new(max_message: usize) -> Self {
        Self { max_message, input: Vec::new(), frame: None, message: None, control: Vec::new(), done: false }
    }

    /// Takes the bytes of one read.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.done {
            self.input.extend_from_slice(bytes);
        }
    }

    /// The next whole message or control frame, if it has come.
    pub fn next_message(&mut self) -> Option<Result<Incoming, Violation>> {
        let mut at = 0;
        let found = loop {
            if self.done {
                at = self.input.len();
                break None;
            }
            if self.frame.is_none() {
                match parse_header(&self.input[at..]) {
                    Ok(None) => break None,
                    Ok(Some((frame, len))) => {
                        at += len;
                        if let Err(violation) = self.begin(&frame) {
                            break Some(Err(violation));
                        }
                        self.frame = Some(frame);
                    }
                    Err(violation) => break Some(Err(violation)),
                }
            }
            match self.take_payload(&mut at) {
                Ok(Some(incoming)) => break Some(Ok(incoming)),
                Ok(None) if self.frame.is_some() => break None,
                Ok(None) => {}
                Err(violation) => break Some(Err(violation)),
            }
        };
        self.done |= matches!(found, Some(Err(_) | Ok(Incoming::Close(_))));
        if at == self.input.len() {
            self.input = Vec::new();
        } else {
            self.input.drain(..at);
        }
        found
    }

    /// Bytes held: at most one message, one control payload and what one read brought.
    pub fn buffered(&self) -> usize {
        self.input.len() + self.control.len() + self.message.as_ref().map_or(0, |message| message.data.len())
    }

    /// Checks a frame against those before it, before any of its payload is kept.
    fn begin(&mut self, frame: &Frame) -> Result<(), Violation> {
        match (frame.opcode, &self.message) {
            (opcode, _) if opcode.is_control() => return Ok(()),
            (Opcode::Continuation, None) => return Err(Violation::Protocol("a continuation of nothing")),
            (Opcode::Continuation, Some(_)) => {}
            (_, Some(_)) => return Err(Violation::Protocol("a message inside a message")),
            (opcode, None) => {
                let text = opcode == Opcode::Text;
                self.message = Some(Box::new(Partial { text, data: Vec::new(), checked: 0 }));
            }
        }
        let so_far = self.message.as_ref().map_or(0, |message| message.data.len());
        if frame.remaining > self.max_message - so_far { Err(Violation::TooBig) } else { Ok(()) }
    }

    /// Takes what has come of the payload; the message, if that was the end of it.
    fn take_payload(&mut self, at: &mut usize) -> Result<Option<Incoming>, Violation> {
        let Some(frame) = &mut self.frame else { return Ok(None) };
        let len = frame.remaining.min(self.input.len() - *at);
        let payload = &mut self.input[*at..*at + len];
        *at += len;
        unmask(payload, &mut frame.mask);
        frame.remaining -= len;
        let ended = frame.remaining == 0;
        let (opcode, fin) = (frame.opcode, frame.fin);
        if ended {
            self.frame = None;
        }
        if opcode.is_control() {
            self.control.extend_from_slice(payload);
            return if ended {
                control(opcode, std::mem::take(&mut self.control)).map(Some)
            } else {
                Ok(None)
            };
        }
        let Some(message) = &mut self.message else { return Ok(None) };
        message.data.extend_from_slice(payload);
        message.check(ended && fin)?;
        if !(ended && fin) {
            return Ok(None);
        }
        let Some(message) = self.message.take() else { return Ok(None) };
        if message.text {
            String::from_utf8(message.data)
                .map(|text| Some(Incoming::Text(text)))
                .map_err(|_| Violation::NotUtf8)
        } else {
            Ok(Some(Incoming::Binary(message.data)))
        }
    }
}

impl Partial {
    /// Checks new text as it comes, so that what cannot become UTF-8 is refused at once.
    fn check(&mut self, whole: bool) -> Result<(), Violation> {
        if !self.text {
            return Ok(());
        }
        match std::str::from_utf8(&self.data[self.checked..]) {
            Ok(text) => self.checked += text.len(),
            Err(error) if whole || error.error_len().is_some() => return Err(Violation::NotUtf8),
            Err(error) => self.checked += error.valid_up_to(),
        }
        Ok(())
    }
}

/// Reads a header and says how long it is; `None` if it has not come whole.
fn parse_header(input: &[u8]) -> Result<Option<(Frame, usize)>, Violation> {
    let [first, second, rest @ ..] = input else { return Ok(None) };
    if first & RESERVED != 0 {
        return Err(Violation::Protocol("a reserved bit is set"));
    }
    let opcode = Opcode::parse(first & 0x0F).ok_or(Violation::Protocol("a reserved opcode"))?;
    let fin = first & FIN != 0;
    if second & MASKED == 0 {
        return Err(Violation::Protocol("a client has to mask"));
    }
    let short = usize::from(second & !MASKED);
    if opcode.is_control() && (short > CONTROL_MAX || !fin) {
        return Err(Violation::Protocol("a control frame that is long or fragmented"));
    }
    let (len, rest) = match short {
        126 => match rest.split_first_chunk::<2>() {
            Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk::<8>() {
            Some((len, rest)) => (u64::from_be_bytes(*len), rest),
            None => return Ok(None),
        },
        short => (short as u64, rest),
    };
    let remaining = usize::try_from(len).map_err(|_| Violation::TooBig)?;
    let Some((mask, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    Ok(Some((Frame { opcode, fin, mask: *mask, remaining }, input.len() - rest.len())))
}

/// Removes the mask, and turns it so that it fits what comes next.
fn unmask(payload: &mut [u8], mask: &mut [u8; 4]) {
    let [a, b, c, d] = *mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut words = payload.chunks_exact_mut(8);
    for word in words.by_ref() {
        if let Ok(bytes) = <[u8; 8]>::try_from(&*word) {
            word.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
        }
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    mask.rotate_left(payload.len() % 4);
}

fn control(opcode: Opcode, payload: Vec<u8>) -> Result<Incoming, Violation> {
    match opcode {
        Opcode::Ping => Ok(Incoming::Ping(payload)),
        Opcode::Pong => Ok(Incoming::Pong),
        _ => match &payload[..] {
            [] => Ok(Incoming::Close(None)),
            [high, low, reason @ ..] => {
                let code = u16::from_be_bytes([*high, *low]);
                if !CLOSE_CODES.iter().any(|codes| codes.contains(&code)) {
                    return Err(Violation::Protocol("a close code that is not to be sent"));
                }
                let reason = std::str::from_utf8(reason).map_err(|_| Violation::NotUtf8)?;
                Ok(Incoming::Close(Some((code, reason.to_owned()))))
            }
            [_] => Err(Violation::Protocol("half a close code")),
        },
    }
}

/// Appends a whole frame.
pub fn encode(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    encode_with(opcode, out, |out| out.extend_from_slice(payload));
}

/// The same, with the payload that `write` appends. It is written where it stays.
pub fn encode_with(opcode: Opcode, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    // Most payloads have a length of two bytes.
    out.extend_from_slice(&[FIN | opcode as u8, 126, 0, 0]);
    let payload = out.len();
    write(out);
    match out.len() - payload {
        len @ 0..=125 => {
            out[start + 1] = len as u8;
            out.copy_within(payload.., start + 2);
            out.truncate(start + 2 + len);
        }
        len @ 126..=0xFFFF => out[start + 2..payload].copy_from_slice(&(len as u16).to_be_bytes()),
        len => {
            out[start + 1] = 127;
            out.splice(start + 2..payload, (len as u64).to_be_bytes());
        }
    }
}

/// Appends a close frame; the reason is cut to what a control frame holds.
pub fn encode_close(code: u16, reason: &str, out: &mut Vec<u8>) {
    let mut end = reason.len().min(CONTROL_MAX - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(&reason.as_bytes()[..end]);
    encode(Opcode::Close, &payload, out);
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;
    use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
    use tungstenite::protocol::frame::{Frame as Theirs, FrameHeader};

    use super::*;

    /// A client's frame, by somebody else's encoder.
    fn masked(opcode: OpCode, fin: bool, payload: &[u8]) -> Vec<u8> {
        let mask = Some([0x12, 0x34, 0x56, 0x78]);
        let header = FrameHeader { is_final: fin, opcode, mask, ..FrameHeader::default() };
        let frame = Theirs::from_payload(header, payload.to_vec().into());
        let mut bytes = Vec::new();
        frame.format(&mut bytes).unwrap();
        bytes
    }

    fn decode(max: usize, chunks: &[&[u8]]) -> Vec<Result<Incoming, Violation>> {
        let mut decoder = Decoder::new(max);
        let mut found = Vec::new();
        for chunk in chunks {
            decoder.push(chunk);
            found.extend(std::iter::from_fn(|| decoder.next_message()));
        }
        found
    }

    #[test]
    fn fragments_become_one_message_with_control_frames_between() {
        let text = OpCode::Data(Data::Text);
        let bytes = [
            masked(text, false, "gr\u{fc}".as_bytes().split_last().unwrap().1),
            masked(OpCode::Control(Control::Ping), true, b"p"),
            masked(OpCode::Data(Data::Continue), true, &["\u{fc}\u{df}e".as_bytes()[1..].to_vec()].concat()),
            masked(OpCode::Control(Control::Close), true, b"\x03\xe8bye"),
            masked(text, true, b"too late"),
        ]
        .concat();
        let expected = vec![
            Ok(Incoming::Ping(b"p".to_vec())),
            Ok(Incoming::Text("gr\u{fc}\u{df}e".to_owned())),
            Ok(Incoming::Close(Some((1000, "bye".to_owned())))),
        ];
        assert_eq!(decode(100, &[&bytes]), expected);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode(100, &single), expected);
    }

    #[test]
    fn each_broken_rule_has_its_code() {
        let text = OpCode::Data(Data::Text);
        let close = OpCode::Control(Control::Close);
        let mut unmasked = Vec::new();
        encode(Opcode::Text, b"x", &mut unmasked);
        let ping = OpCode::Control(Control::Ping);
        let cases = [
            (unmasked, 1002),
            (vec![0xC1, 0x80, 0, 0, 0, 0], 1002),
            (vec![0xA1, 0x80, 0, 0, 0, 0], 1002),
            (vec![0x91, 0x80, 0, 0, 0, 0], 1002),
            (masked(ping, false, b"x"), 1002),
            (masked(ping, true, &[b'x'; 126]), 1002),
            (vec![0x83, 0x80, 0, 0, 0, 0], 1002),
            (masked(OpCode::Data(Data::Continue), true, b"x"), 1002),
            ([masked(text, false, b"x"), masked(text, true, b"x")].concat(), 1002),
            (masked(close, true, b"\x03"), 1002),
            (masked(close, true, b"\x03\xed"), 1002),
            (masked(text, true, b"\xff"), 1007),
            (masked(text, true, b"\xe2\x82"), 1007),
            ([masked(text, false, b"\xe2"), masked(OpCode::Data(Data::Continue), true, b"x")].concat(), 1007),
            (masked(close, true, b"\x03\xe8\xff"), 1007),
            (masked(text, true, &[b'x'; 101]), 1009),
        ];
        for (bytes, code) in cases {
            let found = decode(100, &[&bytes]);
            assert_eq!(found.last().unwrap().clone().unwrap_err().close_code(), code, "{bytes:?}");
        }
    }

    #[test]
    fn a_peer_closes_with_a_code_of_the_registry_or_of_its_own() {
        let close = |code: u16| {
            decode(100, &[&masked(OpCode::Control(Control::Close), true, &code.to_be_bytes())]).remove(0)
        };
        for code in [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4000, 4999] {
            assert_eq!(close(code), Ok(Incoming::Close(Some((code, String::new())))));
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            assert_eq!(close(code).unwrap_err().close_code(), 1002, "{code}");
        }
    }

    #[test]
    fn every_form_of_a_length_is_written_and_read() {
        for (len, header_len) in [(0, 2), (125, 2), (126, 4), (0xFFFF, 4), (0x1_0000, 10)] {
            let payload = vec![b'x'; len];
            let mut bytes = Vec::new();
            encode(Opcode::Text, &payload, &mut bytes);
            assert_eq!(bytes.len(), header_len + len);
            let (header, theirs) = FrameHeader::parse(&mut Cursor::new(&bytes)).unwrap().unwrap();
            assert_eq!((header.is_final, header.mask, theirs), (true, None, len as u64));

            let bytes = masked(OpCode::Data(Data::Binary), true, &payload);
            assert_eq!(decode(len, &[&bytes]), [Ok(Incoming::Binary(payload))]);
        }
    }

    #[test]
    fn text_that_cannot_become_utf8_fails_before_its_frame_has_come() {
        let bytes = masked(OpCode::Data(Data::Text), true, &[b"ok\xff".as_slice(), &[b'x'; 50]].concat());
        assert_eq!(decode(100, &[&bytes[..9]]), [Err(Violation::NotUtf8)]);
    }

    #[test]
    fn a_length_over_the_limit_is_refused_from_the_header_alone() {
        let header = [0x82, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4];
        assert_eq!(decode(1000, &[&header]), [Err(Violation::TooBig)]);
        let fragments = [
            masked(OpCode::Data(Data::Binary), false, &[0; 600]),
            masked(OpCode::Data(Data::Continue), true, &[0; 401])[..8].to_vec(),
        ];
        assert_eq!(decode(1000, &[&fragments.concat()]), [Err(Violation::TooBig)]);
    }

    #[test]
    fn an_idle_decoder_holds_no_heap() {
        let mut decoder = Decoder::new(1000);
        decoder.push(&masked(OpCode::Data(Data::Text), true, b"hello"));
        assert!(decoder.next_message().is_some() && decoder.next_message().is_none());
        assert_eq!(decoder.input.capacity() + decoder.control.capacity(), 0);
        assert!(decoder.message.is_none());
    }

    #[test]
    fn a_close_reason_is_cut_between_characters() {
        let mut bytes = Vec::new();
        encode_close(1001, &"\u{e9}".repeat(100), &mut bytes);
        assert_eq!(bytes[1], 124);
        assert!(std::str::from_utf8(&bytes[4..]).is_ok());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_are_never_hoarded(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
        ) {
            let mut decoder = Decoder::new(64);
            for chunk in chunks {
                decoder.push(&chunk);
                while decoder.next_message().is_some() {}
                prop_assert!(decoder.buffered() <= 64 + CONTROL_MAX + 14);
            }
        }

        #[test]
        fn any_chunking_gives_the_same_messages(
            payloads in prop::collection::vec((any::<bool>(), ".{0,300}"), 1..6),
            size in 1_usize..400,
        ) {
            let mut bytes = Vec::new();
            let mut expected = Vec::new();
            for (binary, payload) in payloads {
                let data = if binary { Data::Binary } else { Data::Text };
                bytes.extend(masked(OpCode::Data(data), true, payload.as_bytes()));
                expected.push(Ok(if binary {
                    Incoming::Binary(payload.into_bytes())
                } else {
                    Incoming::Text(payload)
                }));
            }
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            prop_assert_eq!(decode(10_000, &chunks), expected);
        }

        #[test]
        fn any_fragmenting_gives_the_same_message(
            text in "\\PC{1,80}",
            cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..6),
            size in 1_usize..100,
        ) {
            let mut cuts: Vec<(usize, bool)> =
                cuts.iter().map(|(cut, ping)| (cut.index(text.len()), *ping)).collect();
            cuts.sort_unstable();
            let (mut bytes, mut expected, mut from) = (Vec::new(), Vec::new(), 0);
            for (to, ping) in cuts {
                let opcode = if bytes.is_empty() { Data::Text } else { Data::Continue };
                bytes.extend(masked(OpCode::Data(opcode), false, &text.as_bytes()[from..to]));
                let (control, incoming) = if ping {
                    (Control::Ping, Incoming::Ping(b"between".to_vec()))
                } else {
                    (Control::Pong, Incoming::Pong)
                };
                bytes.extend(masked(OpCode::Control(control), true, b"between"));
                expected.push(Ok(incoming));
                from = to;
            }
            let opcode = if bytes.is_empty() { Data::Text } else { Data::Continue };
            bytes.extend(masked(OpCode::Data(opcode), true, &text.as_bytes()[from..]));
            expected.push(Ok(Incoming::Text(text)));
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            prop_assert_eq!(decode(400, &chunks), expected);
        }
    }
}
