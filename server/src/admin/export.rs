//! The messages of a room as text or as JSON.

use std::io::{self, Write};

use crosstalk_protocol::line::{Style, render};
use crosstalk_protocol::{Message, RoomName};
use jiff::Timestamp;

use crate::config::ExportFormat;
use crate::store::{Archive, RoomKey, StoredRoom};

/// Messages that are read at once. A reader of the export that is slow holds nothing back meanwhile.
const PAGE: usize = 1_000;

/// Writes the messages of a room that were taken at `since`, in milliseconds since 1970, or later:
/// those that there are now, as each is when its turn comes.
pub(super) fn write(
    archive: &Archive,
    room: StoredRoom,
    format: ExportFormat,
    since: i64,
    mut out: impl Write,
) -> anyhow::Result<()> {
    let Some(first) = archive.first_since(&room, since)? else { return Ok(out.flush()?) };
    let StoredRoom { id, name, last_seq, .. } = room;
    let key = RoomKey { id, name };
    let mut after = first.saturating_sub(1);
    // What is said from now on would never come to an end in a room that is busy.
    while after < last_seq {
        let page = archive.messages(&key, after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        // The clock of a server may have been set back: later messages can have earlier times.
        let wanted = page.into_iter().filter(|message| message.seq <= last_seq && message.at as i64 >= since);
        for message in wanted {
            match format {
                ExportFormat::Text => line(message, &mut out)?,
                ExportFormat::Jsonl => json(&message, &mut out)?,
            }
        }
    }
    Ok(out.flush()?)
}

/// `2026-11-24 15:00:07 alice: hi`
fn line(message: Message, out: &mut impl Write) -> io::Result<()> {
    // A time that cannot be is the check's business.
    let at = Timestamp::from_millisecond(message.at as i64).unwrap_or(Timestamp::MAX);
    let mut line = format!("{} ", at.strftime("%Y-%m-%d %H:%M:%S")).into_bytes();
    // It is the same room for all of them, and goes without saying.
    render::message(&Message { room: RoomName::lobby(), ..message }, Style::Lf, &mut line);
    out.write_all(&line)
}

fn json(message: &Message, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, message)?;
    out.write_all(b"\n")
}
