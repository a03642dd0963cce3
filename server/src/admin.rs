//! What whoever runs the server does besides running it: export, backup, check. All of it reads a data
//! directory, whether a server uses that meanwhile or not, and changes nothing in it.

mod export;
mod since;

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use crosstalk_protocol::RoomName;
use crosstalk_protocol::line::render::grouped;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, ExportFormat};
use crate::store::{Archive, Backup, Report, StoredRoom};

pub use since::Since;

/// How many names are told to somebody who has named a room that there is not.
const NAMES: usize = 10;

/// The directory that is meant. Whoever names one means it, though the server may keep nothing.
///
/// # Errors
/// There is none.
pub fn data_directory(config: &Config) -> anyhow::Result<PathBuf> {
    if let Some(asked) = &config.data {
        return Ok(asked.clone());
    }
    config
        .data_directory()?
        .context("with --ephemeral (CROSSTALK_EPHEMERAL) nothing is kept; name a data directory with --data")
}

/// Writes the messages of a room, oldest first.
///
/// # Errors
/// The data cannot be read, there is no such room, or `out` takes no more; unless that is because its
/// reader has seen enough.
pub fn export(
    data: &Path,
    room: &RoomName,
    format: ExportFormat,
    since: Option<Since>,
    out: impl Write,
) -> anyhow::Result<()> {
    let archive = Archive::open(data)?;
    let Some(found) = archive.room(room)? else {
        bail!(
            "there is no room {room} in {}; {}",
            archive.path().display(),
            instead_of(room, archive.rooms()?)
        );
    };
    let since = since.map_or(i64::MIN, |since| since.milliseconds(Timestamp::now()));
    match export::write(&archive, found, format, since, out) {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        result => result.context("the export is not complete"),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// The rooms that there are, those first whose names are most like the one that was asked for.
fn instead_of(room: &RoomName, mut rooms: Vec<StoredRoom>) -> String {
    if room.is_direct() {
        return "a direct conversation ends, with all that was said in it, when one of the two leaves"
            .to_owned();
    }
    let unlike = |other: &StoredRoom| {
        let [wanted, other] = [room.as_str(), other.name.as_str()].map(str::to_lowercase);
        strsim::damerau_levenshtein(&wanted, &other)
    };
    rooms.sort_by_cached_key(|other| (unlike(other), other.name.as_str().to_owned()));
    let names: Vec<_> = rooms.iter().take(NAMES).map(|room| room.name.as_str()).collect();
    match rooms.len() {
        0 => "it has none".to_owned(),
        count if count <= NAMES => format!("its rooms: {}", names.join(", ")),
        count => format!("the nearest of its {} rooms: {}", grouped(count), names.join(", ")),
    }
}

/// Writes a copy of everything, and says what it is.
///
/// # Errors
/// The data cannot be read, the file is there already or cannot be written, or a signal asks to stop.
/// Nothing of the copy is left then.
pub async fn back_up(data: &Path, file: &Path) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let archive = Archive::open_to_copy(data)?;
    let handle = archive.interrupt_handle();
    let copied = file.to_owned();
    let mut work = tokio::task::spawn_blocking(move || archive.back_up(&copied));
    let result = tokio::select! {
        result = &mut work => result,
        _ = terminate.recv() => { handle.interrupt(); work.await }
        _ = interrupt.recv() => { handle.interrupt(); work.await }
    };
    let Backup { bytes, messages } = result??;
    let messages = counted(messages, "message", "messages");
    say(&format!("{}: {messages}, {}", file.display(), counted(bytes, "byte", "bytes")))
}

/// Says what is wrong with a database, or that all is well.
///
/// # Errors
/// Something is wrong.
pub fn check(archive: &Archive) -> anyhow::Result<()> {
    let Report { rooms, messages, people, defects } = archive.check();
    if defects.is_empty() {
        let rooms = counted(rooms, "room", "rooms");
        let messages = counted(messages, "message", "messages");
        let people = counted(people, "person", "people");
        return say(&format!("{rooms}, {messages}, {people}: all is well"));
    }
    say(&defects.join("\n"))?;
    bail!("{} is not as it should be; keep a copy of it, and restore a backup", archive.path().display())
}

fn counted(count: u64, one: &str, many: &str) -> String {
    let what = if count == 1 { one } else { many };
    format!("{} {what}", grouped(usize::try_from(count).unwrap_or(usize::MAX)))
}

/// Prints lines. Whoever does not read them is not told of it.
fn say(lines: &str) -> anyhow::Result<()> {
    match writeln!(io::stdout(), "{lines}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
