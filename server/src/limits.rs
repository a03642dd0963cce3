//! Every bound of the server, in one place, each with its reason. What a client must know of is in
//! [`crosstalk_protocol::limits`] instead.

use std::time::Duration;

/// Messages a second, averaged, of one connection. Nobody types faster; a script can ask for less
/// with `--rate-limit`.
pub const RATE: u32 = 10;

/// Messages at once, as a multiple of the rate: a paste of 50 lines is let through.
pub const BURST_FACTOR: u32 = 5;

/// Refused messages at once before a peer is disconnected as flooding, as a multiple of the rate.
/// Each of them has been told when to go on: who still sends does not listen.
pub const FLOOD_FACTOR: u32 = 100;

/// Connections in all. Each costs a descriptor and a few kilobytes.
pub const MAX_CONNECTIONS: usize = 10_000;

/// Connections of one address. Generous, because a whole classroom can share one.
pub const MAX_CONNECTIONS_PER_IP: usize = 1_000;

/// Connections over the limit that are told so at one time; further ones are only closed.
pub const TURNED_AWAY_AT_ONCE: usize = 64;

/// Public rooms that one connection can be in, and as many direct conversations that it can be in.
pub const ROOMS_PER_CONNECTION: usize = 100;

/// Public rooms in all, if `--max-rooms` says nothing else. Above it, an empty one in which nothing was
/// said is given up; without a store, the empty one that has been silent for longest.
pub const MAX_ROOMS: usize = 20_000;

/// Between two times at which all rooms are looked at for one that can be given up.
pub const SPARE_TIME: Duration = Duration::from_secs(1);

/// Time to say hello. Long enough to think about a nickname.
pub const HELLO_TIME: Duration = Duration::from_secs(60);

/// How long a TCP peer may say nothing before it is greeted as a person. A program's first bytes
/// are there sooner, and are not mixed up with a greeting.
pub const GREETING_DELAY: Duration = Duration::from_millis(300);

/// How long the bytes that tell a peer's kind may be incomplete.
pub const DETECTION_TIME: Duration = Duration::from_millis(50);

/// The quiet time that ends a message of a peer that sends no line endings.
pub const QUIET_TIME: Duration = Duration::from_millis(50);

/// The same while its bytes come one by one, as from somebody typing on a telnet that sends each key.
pub const TYPING_TIME: Duration = Duration::from_secs(2);

/// Time for the head of an HTTP request.
pub const HTTP_HEAD_TIME: Duration = Duration::from_secs(10);

/// Bytes of the head of an HTTP request: browsers send one or two kilobytes.
pub const HTTP_HEAD_MAX: usize = 16 * 1024;

/// How long a connection may stay with HTTP before it has to come again: it ends those whose peer
/// reads an answer byte by byte.
pub const HTTP_CONNECTION_TIME: Duration = Duration::from_secs(300);

/// Time in which a peer has to accept something of what is written to it.
pub const WRITE_TIME: Duration = Duration::from_secs(30);

/// Silence of a WebSocket after which it is pinged: below the minute after which proxies cut.
pub const PING_AFTER: Duration = Duration::from_secs(30);

/// Time for any sign of life after a ping.
pub const PONG_TIME: Duration = Duration::from_secs(20);

/// Bytes that the kernel keeps for a peer beyond what is on its way. Without this bound it takes
/// megabytes for a slow reader, and then nothing for so long that the reader seems dead.
pub const UNSENT_MAX: u32 = 32 * 1024;

/// TCP keepalive: first probe after this silence.
pub const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);

/// TCP keepalive: time between probes; after four the connection is given up.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// How long written data may stay unacknowledged by the peer's kernel.
pub const TCP_USER_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a connection may take to finish what is under way when the server stops: one that takes
/// nothing is not waited for.
pub const STOP_TIME: Duration = Duration::from_secs(2);

/// How long all connections may take to end when the server stops.
pub const DRAIN_TIME: Duration = Duration::from_secs(10);

/// How long a closed connection waits for the peer to close too, so that the last words arrive.
pub const LINGER_TIME: Duration = Duration::from_secs(1);

/// Bytes taken with one read.
pub const READ_MAX: usize = 16 * 1024;

/// Bytes gathered for one write. More would only wait in the kernel's buffer.
pub const WRITE_MAX: usize = 256 * 1024;

/// Buffers of one vectored write.
pub const WRITE_BUFFERS: usize = 64;

/// Bytes of unsent replies at which a connection's input is left unread.
pub const REPLIES_MAX: usize = 64 * 1024;

/// Replies held for a peer that gets each in a send of its own; further input waits.
pub const HELD_MAX: usize = 32;

/// Messages of one connection that are on their way into a log; further input waits.
pub const IN_FLIGHT_MAX: usize = 64;

/// Things that others have done and one connection has not been told yet: people who write to it, rooms
/// that its person enters and leaves elsewhere. A connection that is behind by more takes nothing, or
/// next to nothing, and ends.
pub const MAIL_MAX: usize = 1_024;

/// Drafts waiting for the sequencer; further ones are answered with `busy`.
pub const QUEUE_MAX: usize = 65_536;

/// Drafts of one batch, and about as many entries of one segment.
pub const BATCH_MAX: usize = 1_024;

/// Drafts that are on their way into the store; further ones wait in the queue. Two transactions of
/// the store: while one is written, the next comes together.
pub const UNSTORED_MAX: usize = 16_384;

/// People who are not connected whom a server without a store remembers. Each costs about a kilobyte.
pub const RESTING_MAX: usize = 10_000;

/// Labels of messages that a server without a store remembers, so that none is taken twice.
pub const LABELS_MAX: usize = 100_000;

/// People on lines who have gone and whom the server may have something to tell when they return.
pub const ABSENCES_MAX: usize = 10_000;

/// How long after they have gone.
pub const ABSENCE_TIME: Duration = Duration::from_secs(60 * 60);

/// How long the store remembers people who do not come, with their rooms.
pub const FORGET_TIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The same for people who have never written anything and are in no room but the lobby: whoever
/// connects again and again, each time as somebody new, fills the disk only so far.
pub const VISITOR_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Between two times at which it is told who is here, and may forget others.
pub const TIDY_TIME: Duration = Duration::from_secs(6 * 60 * 60);

/// How long after the start that is done first: everybody is busy coming back before.
pub const TIDY_FIRST: Duration = Duration::from_secs(10 * 60);

/// How long its author can change or withdraw a message. It is for mending; what has been answered
/// and built upon stays.
pub const EDIT_TIME: Duration = Duration::from_secs(60 * 60);

/// Newest entries of a room among which somebody's last message is looked for.
pub const LAST_MESSAGE_ENTRIES: usize = 10_000;

/// Entries that a room keeps in memory.
pub const TAIL_ENTRIES: usize = 10_000;

/// Bytes that a room keeps in memory, encodings included.
pub const TAIL_BYTES: usize = 8 * 1024 * 1024;

/// Bytes that all rooms keep in memory; above it, a room that grows is cut to [`TAIL_BYTES_MIN`].
pub const TAILS_BYTES: usize = 512 * 1024 * 1024;

/// What every room may keep, however many there are.
pub const TAIL_BYTES_MIN: usize = 16 * 1024;

/// Members up to which each arrival is announced at once and by name.
pub const SMALL_ROOM: usize = 32;

/// How long arrivals and departures are gathered in a larger room. At 5,000 members an
/// announcement costs some 30 ms of processor time.
pub const PRESENCE_TIME: Duration = Duration::from_millis(500);

/// People up to whom a gathered announcement names each on a line of its own.
pub const PRESENCE_LINES: usize = 3;

/// Messages that `/history` shows if no number is given, and who joins a room on lines.
pub const HISTORY_LINES: usize = 20;

/// Messages that `/search` shows.
pub const SEARCH_LINES: usize = 20;
