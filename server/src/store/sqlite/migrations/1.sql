-- The numbers of all rooms that there have been are never given again: AUTOINCREMENT.
CREATE TABLE room (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    -- The highest number of an entry that there has been; entries up to `expired` fell to retention.
    last_seq INTEGER NOT NULL DEFAULT 0,
    expired INTEGER NOT NULL DEFAULT 0,
    -- What there is: messages, and bytes of all entries.
    messages INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    -- The two of a direct conversation.
    user_a INTEGER,
    user_b INTEGER,
    -- One of the two has left for good.
    ended INTEGER NOT NULL DEFAULT 0,
    -- It is gone for everybody; its entries are being taken away.
    removed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX room_user_a ON room (user_a) WHERE user_a IS NOT NULL;
CREATE INDEX room_user_b ON room (user_b) WHERE user_b IS NOT NULL;
CREATE INDEX room_removed ON room (id) WHERE removed = 1;

-- `id` is the room's number and the entry's within it, so that a room's entries lie together, in order.
CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    author INTEGER NOT NULL,
    -- 0: a message, 1: a change of one, 2: the withdrawal of one. A withdrawn message has no row, and
    -- nor has a change of it. The words of a change are those of its message.
    kind INTEGER NOT NULL,
    nick TEXT NOT NULL,
    to_nick TEXT,
    action INTEGER NOT NULL,
    edited INTEGER NOT NULL,
    reply_seq INTEGER,
    reply_nick TEXT,
    -- The id of the message that a change or withdrawal is about.
    target INTEGER,
    text TEXT
) STRICT;
CREATE INDEX entry_changes ON entry (target) WHERE kind = 1;

-- Which label of which author stands for which entry.
CREATE TABLE receipt (
    author INTEGER NOT NULL,
    label TEXT NOT NULL,
    entry INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    uptime INTEGER NOT NULL,
    PRIMARY KEY (author, label)
) STRICT, WITHOUT ROWID;

-- For how long servers have run on this database, in milliseconds. By that, receipts grow old: the
-- time of day can jump.
CREATE TABLE uptime (milliseconds INTEGER NOT NULL) STRICT;
INSERT INTO uptime VALUES (0);

CREATE TABLE user (
    id INTEGER PRIMARY KEY,
    token BLOB NOT NULL UNIQUE,
    nick TEXT NOT NULL,
    hidden INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    -- Whether they have ever written anything.
    wrote INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE seat (
    user INTEGER NOT NULL,
    room INTEGER NOT NULL,
    -- The order in which the user came into rooms.
    place INTEGER NOT NULL,
    read INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user, room)
) STRICT, WITHOUT ROWID;
CREATE INDEX seat_room ON seat (room);

-- What is written to see whether anything can be.
CREATE TABLE probe (id INTEGER PRIMARY KEY, filling BLOB NOT NULL) STRICT;

-- Which messages have which words; their text is in `entry` only.
CREATE VIRTUAL TABLE word USING fts5 (text, content = '', columnsize = 0, tokenize = 'ascii');
INSERT INTO word (word, rank) VALUES ('secure-delete', 1);
