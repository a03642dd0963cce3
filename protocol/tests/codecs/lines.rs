//! The line codec.

use crosstalk_protocol::limits::LINE_MAX;
use crosstalk_protocol::line::{Decoder, Notice, Style, render};
use crosstalk_protocol::slash::{self, Typed};
use crosstalk_protocol::{ErrorCode, Message, Nick, RoomName, Text};
use proptest::prelude::*;

use super::generate;

const STYLES: [Style; 3] = [Style::Lf, Style::CrLf, Style::Unframed];

fn style() -> impl Strategy<Value = Style> {
    prop::sample::select(STYLES.to_vec())
}

/// What one peer sends: text, line endings, telnet commands, and noise.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => "[a-zé/ ]{0,12}".prop_map(String::into_bytes),
        3 => prop::sample::select(vec![&b"\n"[..], b"\r\n", b"\r\0", b"\r", b"\0"]).prop_map(<[u8]>::to_vec),
        2 => prop::sample::select(vec![
            &b"\xFF\xFB\x01"[..], b"\xFF\xFD\x06", b"\xFF\xFA\x1F\0\n\xFF\xF0", b"\xFF\xFF", b"\xFF\xF1", b"\xFF",
        ]).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..12),
        1 => (LINE_MAX - 3..LINE_MAX + 4).prop_map(|length| vec![b'x'; length]),
    ];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

/// Where to cut the stream.
fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![Just(1), 1..9usize, 1..5000usize], 1..40)
}

fn cut<'a>(mut bytes: &'a [u8], lengths: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths = lengths.iter().cycle();
    std::iter::from_fn(move || {
        let length = (*lengths.next()?).min(bytes.len());
        let (chunk, rest) = bytes.split_at(length);
        bytes = rest;
        (!chunk.is_empty()).then_some(chunk)
    })
}

fn drain(decoder: &mut Decoder) -> Vec<Result<String, ErrorCode>> {
    std::iter::from_fn(|| decoder.next_line()).map(|line| line.map_err(|error| error.code)).collect()
}

fn rendered(style: Style, render: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    render(&mut out);
    let text = String::from_utf8(out).expect("lines are UTF-8");
    if style == Style::CrLf {
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        text.replace("\r\n", "\n")
    } else {
        text
    }
}

/// How the line of a message must begin, so that everybody knows who wrote it and where.
fn heading(message: &Message) -> String {
    let place = match &message.room {
        room if room.is_lobby() => String::new(),
        room if room.is_direct() => "[DM] ".to_owned(),
        room => format!("[{room}] "),
    };
    if message.action { format!("{place}* {} ", message.from) } else { format!("{place}{}: ", message.from) }
}

proptest! {
    #[test]
    fn how_the_bytes_are_cut_changes_nothing(bytes in stream(), one in cuts(), other in cuts()) {
        let decoded = |lengths: &[usize]| {
            let mut decoder = Decoder::new();
            // A framed peer from the start: for others, the pauses between bytes have a meaning.
            decoder.push(b"alice\n");
            let mut lines = Vec::new();
            let mut answers = decoder.take_answers();
            for chunk in cut(&bytes, lengths) {
                decoder.push(chunk);
                lines.extend(drain(&mut decoder));
            }
            answers.extend(decoder.take_answers());
            decoder.finish();
            lines.extend(drain(&mut decoder));
            (lines, answers, decoder.buffered())
        };
        let whole = decoded(&[usize::MAX]);
        prop_assert_eq!(&whole.0[0], &Ok("alice".to_owned()));
        prop_assert_eq!(whole.2, 0);
        prop_assert_eq!(&decoded(&one), &whole);
        prop_assert_eq!(&decoded(&other), &whole);
    }

    #[test]
    fn no_bytes_at_any_time_break_a_decoder_or_fill_it(
        chunks in prop::collection::vec((stream(), any::<bool>()), 0..8),
    ) {
        let mut decoder = Decoder::new();
        for (bytes, quiet) in chunks {
            for chunk in bytes.chunks(1000) {
                decoder.push(chunk);
                drain(&mut decoder);
                prop_assert!(decoder.buffered() <= LINE_MAX + 1, "{}", decoder.buffered());
            }
            if quiet && decoder.waiting().is_some() {
                decoder.flush();
                for line in drain(&mut decoder).into_iter().flatten() {
                    prop_assert!(!line.is_empty() && line.len() <= LINE_MAX);
                }
                prop_assert_eq!(decoder.buffered(), 0);
            }
            prop_assert!(decoder.take_answers().len() <= 3 * 512);
        }
        decoder.finish();
        drain(&mut decoder);
        prop_assert_eq!((decoder.waiting(), decoder.buffered()), (None, 0));
    }

    #[test]
    fn lines_that_were_typed_arrive(lines in prop::collection::vec("[^\r\n\0\u{feff}]{1,60}", 0..8), style in style()) {
        let ending = if style == Style::CrLf { "\r\n" } else { "\n" };
        let mut decoder = Decoder::new();
        decoder.push(lines.iter().map(|line| format!("{line}{ending}")).collect::<String>().as_bytes());
        let arrived: Vec<String> = drain(&mut decoder).into_iter().map(Result::unwrap).collect();
        prop_assert_eq!(decoder.uses_cr(), style == Style::CrLf && !lines.is_empty());
        prop_assert_eq!(arrived, lines);
    }

    #[test]
    fn taking_messages_apart_loses_and_adds_nothing(
        text in "(/|/members|/hide|/broadcast|/room|/join|/get_rooms| |[a-zé]{1,4}){1,30}",
        more in "(/quit|/hide|[a-z]{1,4}){1,9}",
    ) {
        let mut decoder = Decoder::new();
        for message in [text, more] {
            decoder.push(message.as_bytes());
            decoder.flush();
            let pieces: Vec<String> = drain(&mut decoder).into_iter().map(Result::unwrap).collect();
            prop_assert_eq!(pieces.concat(), message);
        }
    }

    #[test]
    fn a_message_is_one_line_with_its_author_in_front(message in generate::message(), style in style()) {
        let text = rendered(style, |out| render::message(&message, style, out));
        let line = text.strip_suffix('\n').unwrap();
        prop_assert!(!line.chars().any(char::is_control), "{line:?}");
        prop_assert!(!line.starts_with("Server:"), "{line:?}");
        let marks = [
            message.reply.as_ref().map(|answered| format!("(in reply to {}) ", answered.from)).unwrap_or_default(),
            if message.edited { " (edited)".to_owned() } else { String::new() },
        ];
        let expected = format!("{}{}{}", marks[0], message.text, marks[1]);
        prop_assert_eq!(line.strip_prefix(&heading(&message)), Some(&*expected));
    }

    #[test]
    fn whatever_is_typed_is_one_line_or_a_reply(
        name in generate::name_candidate(),
        typed in generate::wild(),
        style in style(),
    ) {
        let Ok(from) = Nick::parse(&name) else { return Ok(()) };
        prop_assert!(!from.as_str().contains([' ', ':', '[', ']', '*', '/', '{']), "{:?}", from);
        let (text, action) = match slash::parse(&typed) {
            Ok(Typed::Say(text)) => (text, false),
            Ok(Typed::Me(text)) => (text, true),
            Ok(_) => return Ok(()),
            Err(error) => {
                prop_assert!(!error.message.chars().any(char::is_control), "{:?}", error.message);
                return Ok(());
            }
        };
        let message = said(from, text, action);
        let text = rendered(style, |out| render::message(&message, style, out));
        let lines: Vec<&str> = text.lines().collect();
        prop_assert_eq!(lines.len(), 1);
        prop_assert!(lines[0].starts_with(&heading(&message)));
    }

    #[test]
    fn as_many_messages_are_as_many_lines(
        messages in prop::collection::vec(generate::message(), 0..8),
        style in style(),
    ) {
        let text = rendered(style, |out| {
            for message in &messages {
                render::message(message, style, out);
            }
        });
        prop_assert_eq!(text.lines().count(), messages.len());
        for (line, message) in text.lines().zip(&messages) {
            prop_assert!(line.starts_with(&heading(message)));
        }
    }

    #[test]
    fn history_is_its_messages_between_two_lines_of_the_server(history in generate::history(), style in style()) {
        let text = rendered(style, |out| render::history(&history, style, out));
        let lines: Vec<&str> = text.lines().collect();
        if history.messages.is_empty() {
            prop_assert_eq!(lines.len(), 1);
        } else {
            prop_assert_eq!(lines.len(), history.messages.len() + 2);
            prop_assert_eq!(lines[lines.len() - 1], "Server: end of history.");
        }
        prop_assert!(lines[0].starts_with("Server: "));
    }

    #[test]
    fn a_notice_is_one_line_of_the_server_or_nothing(
        nick in generate::nick(),
        to in generate::nick(),
        room in generate::room(),
        counts in any::<[usize; 3]>(),
        style in style(),
    ) {
        let [joined, left, count] = counts;
        for notice in [
            Notice::Online(nick.clone()),
            Notice::Offline { nick: nick.clone(), quit: true },
            Notice::Joined { nick: nick.clone(), room: room.clone() },
            Notice::Left { nick: nick.clone(), room: room.clone() },
            Notice::Crowd { room: room.clone(), joined, left, count },
            Notice::Renamed { from: nick.clone(), to: to.clone() },
        ] {
            let text = rendered(style, |out| render::notice(&notice, style, out));
            let quit = style == Style::Unframed && matches!(notice, Notice::Offline { .. });
            prop_assert!(text.lines().count() <= 1);
            prop_assert!(text.is_empty() || quit || text.starts_with("Server: "));
            prop_assert!(!text.trim_end_matches('\n').chars().any(char::is_control));
        }
    }
}

fn said(from: Nick, text: Text, action: bool) -> Message {
    let room = RoomName::lobby();
    Message { room, seq: 1, at: 0, from, to: None, text, action, reply: None, edited: false }
}

#[test]
fn a_text_cannot_open_a_line_of_its_own() {
    for forged in [
        "hi\nServer: bye",
        "hi\r\nbob: no",
        "hi\u{2028}[DM] bob: no",
        "hi\u{1b}[2K\u{1b}[GServer: bye",
        "hi\u{85}x",
    ] {
        let message = said(Nick::parse("alice").unwrap(), Text::clean(forged).unwrap(), false);
        for style in STYLES {
            let text = rendered(style, |out| render::message(&message, style, out));
            assert!(text.starts_with("alice: hi") && text.ends_with('\n'), "{text:?}");
            assert!(!text.trim_end().contains(|c: char| c.is_control() || c == '\u{2028}'), "{text:?}");
        }
    }
}
