//! Names, texts, commands and events at random, as far from the ordinary as they may be.

use crosstalk_protocol::{
    Answered, Command, Deleted, Disconnect, DisconnectCode, Edited, Entered, EntryRoom, ErrorCode,
    ErrorReply, Event, History, HistoryRange, Limits, Message, Nick, Page, Position, Presence, Record,
    Rename, Request, RequestId, RoomName, RoomSummary, Target, Text, Token, limits,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// The greatest whole number that JavaScript holds.
const SAFE_MAX: u64 = (1 << 53) - 1;

/// Strings with all that has ever moved a cursor or confused a reader in them.
pub(super) fn wild() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ -~]{0,80}",
        2 => "\\PC{0,60}",
        1 => any::<String>(),
        3 => "(\\PC|[\u{0}-\u{ff}]|[\u{2000}-\u{206f}]|\u{301}|\u{feff}|\u{1b}[\\[\\]]?|Server: |\\* |\\[DM\\] |\r|\n|:){0,40}",
    ]
}

/// Strings that often are names, and often nearly the server's own.
pub(super) fn name_candidate() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,31}",
        2 => "\\w{1,32}",
        2 => "(S|s|\u{405}|\u{ff33})[e\u{435}]rver[\u{2d0}\u{fe0f}\u{301}:_.-]{0,2}",
        1 => wild(),
    ]
}

pub(super) fn nick() -> impl Strategy<Value = Nick> {
    name_candidate().prop_filter_map("not a nickname", |name| Nick::parse(&name).ok())
}

pub(super) fn room() -> impl Strategy<Value = RoomName> {
    prop_oneof![
        1 => Just(RoomName::lobby()),
        2 => any::<u64>().prop_map(RoomName::direct),
        4 => name_candidate().prop_filter_map("not a room name", |name| RoomName::parse(&name).ok()),
    ]
}

pub(super) fn text() -> impl Strategy<Value = Text> {
    wild().prop_filter_map("not a text", |text| Text::clean(&text).ok())
}

pub(super) fn request() -> impl Strategy<Value = Request> {
    (option::of(id()), command()).prop_map(|(id, command)| Request { id, command })
}

fn id() -> impl Strategy<Value = RequestId> {
    wild().prop_filter_map("not an id", |id| RequestId::new(&id))
}

fn token() -> impl Strategy<Value = Token> {
    "[!-~]{1,64}".prop_filter_map("not a token", |token| Token::new(&token))
}

fn position() -> impl Strategy<Value = Position> {
    (any::<u64>(), any::<u64>()).prop_map(|(epoch, seq)| Position { epoch, seq })
}

fn entry_room() -> impl Strategy<Value = EntryRoom> {
    (room(), option::of(position())).prop_map(|(room, position)| EntryRoom { room, position })
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![room().prop_map(Target::Room), nick().prop_map(Target::User)]
}

fn page() -> impl Strategy<Value = Page> {
    (option::of(wild()), 1..=limits::PAGE_MAX).prop_map(|(after, limit)| Page { after, limit })
}

fn range() -> impl Strategy<Value = HistoryRange> {
    prop_oneof![
        Just(HistoryRange::Latest),
        any::<u64>().prop_map(HistoryRange::Before),
        any::<u64>().prop_map(HistoryRange::After),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (nick(), option::of(token()), option::of(id()), option::of(vec(entry_room(), 0..4)), any::<bool>())
            .prop_map(|(nick, token, client, rooms, hidden)| Command::Hello {
                nick,
                token,
                client,
                rooms,
                hidden
            }),
        (target(), text(), any::<bool>(), option::of(any::<u64>()))
            .prop_map(|(to, text, action, reply)| Command::Send { to, text, action, reply }),
        (room(), any::<u64>(), text()).prop_map(|(room, seq, text)| Command::Edit { room, seq, text }),
        (room(), any::<u64>()).prop_map(|(room, seq)| Command::Delete { room, seq }),
        (room(), any::<u64>()).prop_map(|(room, seq)| Command::Read { room, seq }),
        (target(), "\\PC{0,60}", option::of(any::<u64>()), 1..=limits::PAGE_MAX)
            .prop_map(|(of, words, before, limit)| Command::Search { of, words, before, limit }),
        room().prop_map(|room| Command::Create { room }),
        entry_room().prop_map(Command::Join),
        room().prop_map(|room| Command::Leave { room }),
        page().prop_map(Command::Rooms),
        (option::of(room()), page()).prop_map(|(room, page)| Command::Members { room, page }),
        nick().prop_map(|nick| Command::Nick { nick }),
        Just(Command::Hide),
        Just(Command::Reveal),
        (target(), range(), 1..=limits::PAGE_MAX).prop_map(|(of, range, limit)| Command::History {
            of,
            range,
            limit
        }),
        Just(Command::Ping),
        Just(Command::Quit),
    ]
}

pub(super) fn message() -> impl Strategy<Value = Message> {
    let flags = any::<(bool, bool)>();
    let names = (nick(), option::of(nick()), option::of((0..=SAFE_MAX, nick())));
    (room(), 0..=SAFE_MAX, 0..=SAFE_MAX, names, text(), flags).prop_map(
        |(room, seq, at, (from, to, reply), text, (action, edited))| {
            let to = to.filter(|_| room.is_direct());
            let reply = reply.map(|(seq, from)| Answered { seq, from });
            Message { room, seq, at, from, to, text, action, reply, edited }
        },
    )
}

pub(super) fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        message().prop_map(Record::Message),
        (room(), [0..=SAFE_MAX, 0..=SAFE_MAX, 0..=SAFE_MAX], nick(), text()).prop_map(
            |(room, [seq, at, target], from, text)| Record::Edited(Edited {
                room,
                seq,
                at,
                from,
                target,
                text
            })
        ),
        (room(), [0..=SAFE_MAX, 0..=SAFE_MAX, 0..=SAFE_MAX], nick()).prop_map(
            |(room, [seq, at, target], from)| Record::Deleted(Deleted { room, seq, at, from, target })
        ),
    ]
}

pub(super) fn history() -> impl Strategy<Value = History> {
    (room(), 0..=SAFE_MAX, vec(message(), 0..4), any::<bool>()).prop_map(
        |(room, epoch, mut messages, more)| {
            for message in &mut messages {
                message.room = room.clone();
                message.to = message.to.take().filter(|_| room.is_direct());
            }
            History { room, epoch, messages, more }
        },
    )
}

fn entered() -> impl Strategy<Value = Entered> {
    (room(), position(), any::<[usize; 2]>(), option::of(nick()), option::of(any::<u64>())).prop_map(
        |(room, position, [count, unread], with, read)| Entered { room, position, count, with, read, unread },
    )
}

fn limits() -> impl Strategy<Value = Limits> {
    (any::<[usize; 3]>(), option::of(any::<u32>()), option::of(any::<u32>()))
        .prop_map(|([text, frame, rooms], rate, burst)| Limits { text, frame, rate, burst, rooms })
}

fn presence() -> impl Strategy<Value = Presence> {
    (room(), vec(nick(), 0..3), vec(nick(), 0..3), any::<[usize; 3]>()).prop_map(
        |(room, joined, left, [joined_count, left_count, count])| Presence {
            room,
            joined,
            joined_count,
            left,
            left_count,
            count,
        },
    )
}

fn error() -> impl Strategy<Value = ErrorReply> {
    let code = prop::sample::select(vec![ErrorCode::BadRequest, ErrorCode::RateLimited, ErrorCode::NotUtf8]);
    (code, any::<String>(), option::of(any::<u64>())).prop_map(|(code, message, retry_after_ms)| ErrorReply {
        code,
        message,
        retry_after_ms,
    })
}

fn disconnect() -> impl Strategy<Value = Disconnect> {
    use DisconnectCode as Code;
    let codes = [Code::Bye, Code::Shutdown, Code::PongTimeout, Code::ServerFull, Code::Internal];
    prop::sample::select(codes.to_vec()).prop_map(Disconnect::from)
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let id = || option::of(id());
    prop_oneof![
        (
            id(),
            nick(),
            (option::of(token()), any::<[bool; 2]>()),
            any::<String>(),
            vec(entered(), 0..3),
            limits()
        )
            .prop_map(|(id, nick, (token, [resumed, hidden]), server, rooms, limits)| {
                Event::Welcome { id, nick, token, resumed, hidden, server, rooms, limits }
            }),
        record().prop_map(Event::from),
        presence().prop_map(Event::Presence),
        (room(), nick(), nick()).prop_map(|(room, from, to)| Event::Renamed(Rename { room, from, to })),
        (room(), any::<[u64; 3]>()).prop_map(|(room, [epoch, after, before])| Event::Gap {
            room,
            epoch,
            after,
            before
        }),
        (self::id(), room(), any::<u64>()).prop_map(|(id, room, seq)| Event::Ack { id, room, seq }),
        (id(), any::<bool>(), entered()).prop_map(|(id, created, entered)| Event::Joined {
            id,
            created,
            entered
        }),
        (id(), room()).prop_map(|(id, room)| Event::Left { id, room }),
        (id(), vec((room(), any::<usize>(), any::<bool>()), 0..3), any::<bool>()).prop_map(
            |(id, rows, more)| {
                let row = |(room, count, member)| RoomSummary { room, count, member };
                Event::Rooms { id, rooms: rows.into_iter().map(row).collect(), more }
            }
        ),
        (id(), option::of(room()), vec(nick(), 0..3), 0..9usize, any::<usize>(), any::<bool>()).prop_map(
            |(id, room, members, before, count, more)| Event::Members {
                id,
                room,
                members,
                before,
                count,
                more
            }
        ),
        (id(), nick()).prop_map(|(id, nick)| Event::Nick { id, nick }),
        (id(), any::<bool>()).prop_map(|(id, hidden)| Event::Hidden { id, hidden }),
        (id(), history()).prop_map(|(id, history)| Event::History { id, history }),
        (id(), history()).prop_map(|(id, history)| Event::Found { id, history }),
        (id(), room(), any::<u64>()).prop_map(|(id, room, seq)| Event::Read { id, room, seq }),
        id().prop_map(|id| Event::Pong { id }),
        (id(), error()).prop_map(|(id, error)| Event::Error { id, error }),
        disconnect().prop_map(Event::Disconnect),
    ]
}
