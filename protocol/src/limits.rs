//! Every bound of the wire contract, in one place, each with its reason.
//!
//! Lengths are in bytes of UTF-8 unless a name says otherwise.

/// Longest nickname, in characters: it still leaves room for the text on an 80-column terminal.
pub const NICK_MAX_CHARS: usize = 32;

/// Longest room name, in characters.
pub const ROOM_MAX_CHARS: usize = 48;

/// Longest message text after cleaning. Four pages of a terminal; pastes belong into a file.
pub const TEXT_MAX: usize = 4 * 1024;

/// Longest line a line peer may send: a text of [`TEXT_MAX`] and the longest command before it,
/// with slack so that a text that is only a little too long is answered by its own limit.
pub const LINE_MAX: usize = 8 * 1024;

/// Longest JSON object a peer may send, as a line or as a WebSocket message. A text of
/// [`TEXT_MAX`] in which every byte is written as `\u00XX` still fits.
pub const FRAME_MAX: usize = 32 * 1024;

/// Longest request `id`: a UUID fits nearly twice.
pub const ID_MAX: usize = 64;

/// Longest token: what the server makes has 32 characters.
pub const TOKEN_MAX: usize = 64;

/// Longest search: a line's worth of words.
pub const WORDS_MAX: usize = 512;

/// Most rooms that one `hello` may name.
pub const HELLO_ROOMS_MAX: usize = 100;

/// Entries, members or rooms in one reply when the request names no `limit`.
pub const PAGE_DEFAULT: usize = 50;

/// Most entries, members or rooms in one reply: at [`TEXT_MAX`] a page stays under a megabyte.
pub const PAGE_MAX: usize = 200;

/// Unread messages that are counted; more are so many at least.
pub const UNREAD_MAX: usize = 1_000;

/// Names that one presence event spells out; the rest are counted.
pub const PRESENCE_NAMES_MAX: usize = 10;

/// Longest run of combining marks on one character; more serve only to deface the lines around.
pub const MARKS_MAX: usize = 8;
