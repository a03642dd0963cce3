//! What the user has written and the server has not acknowledged, on disk, so that it survives the
//! end of the client.
//!
//! A file for each run, beside the identities of its server, locked as long as the run lasts. Its
//! first line is the token of whoever wrote; each line behind it is a change: `+` a request that is
//! to be sent, `!` one that has failed, `-` the id of one that is done with. Lines are only ever
//! added, so a crash can cost the last one at most; a file without anything left is emptied.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crosstalk_protocol::{Request, RequestId, Token, json};

/// How the names of the files begin: no nickname does.
const PREFIX: &str = ".outbox-";

/// For so long a request may be sent again under its id. The server remembers ids for a day.
const IDS_KEPT: Duration = Duration::from_secs(20 * 60 * 60);

/// After so long the server has forgotten the token, and the file is of no use to anybody.
const FILES_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A request of the user's own that is not done with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept {
    pub(crate) request: Request,
    /// Whether only the user can say if it is to be sent again.
    pub(crate) failed: bool,
}

/// The file of this run, once there is something to be kept.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// Where it is, and whose.
    place: Option<(PathBuf, Token)>,
    file: Option<File>,
    /// What it says.
    written: Vec<Kept>,
}

impl Journal {
    /// Keeps what `token`, in `folder`, has not sent. What an earlier run left there is handed over
    /// and is this run's from now on.
    pub(crate) fn open(&mut self, folder: &Path, token: &Token) -> Vec<Kept> {
        let moved =
            self.place.as_ref().is_none_or(|(place, owner)| place.parent() != Some(folder) || owner != token);
        if !moved {
            return Vec::new();
        }
        let name = format!("{PREFIX}{:016x}", fastrand::u64(..));
        let before = self.place.replace((folder.join(name), token.clone())).filter(|_| self.file.is_some());
        self.file = None;
        let mut all = std::mem::take(&mut self.written);
        let left = left_behind(folder, token);
        let kept: Vec<Kept> = left.iter().flat_map(|(_, kept)| kept.iter().cloned()).collect();
        all.extend(kept.iter().cloned());
        // Only what is safe here may go there.
        if self.keep(&all).is_ok() {
            for path in left.into_iter().map(|(path, _)| path).chain(before.map(|(path, _)| path)) {
                let _ = fs::remove_file(path);
            }
        }
        kept
    }

    /// Whether something is left for a later run.
    pub(crate) fn holds(&self) -> bool {
        self.file.is_some() && !self.written.is_empty()
    }

    /// Brings the file up to date.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn keep(&mut self, kept: &[Kept]) -> io::Result<()> {
        if kept == self.written {
            return Ok(());
        }
        let Some((path, token)) = &self.place else { return Ok(()) };
        let mut lines = Vec::new();
        if self.file.is_none() {
            self.file = Some(create(path)?);
            writeln!(lines, "{}", token.as_str())?;
        }
        let file = self.file.as_mut().expect("it has just been opened");
        if kept.is_empty() {
            file.set_len(0)?;
            writeln!(lines, "{}", token.as_str())?;
        } else {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            for gone in self.written.iter().filter(|one| kept.iter().all(|other| id(other) != id(one))) {
                writeln!(lines, "- {}", id(gone).map_or("", RequestId::as_str))?;
            }
            for new in kept.iter().filter(|one| !self.written.contains(one)) {
                let mark = if new.failed { '!' } else { '+' };
                writeln!(lines, "{mark} {now} {}", json::encode_request(&new.request))?;
            }
        }
        file.write_all(&lines)?;
        self.written = kept.to_vec();
        Ok(())
    }
}

impl Drop for Journal {
    /// A file that says nothing is removed.
    fn drop(&mut self) {
        if self.file.is_some()
            && self.written.is_empty()
            && let Some((path, _)) = &self.place
        {
            let _ = fs::remove_file(path);
        }
    }
}

fn id(kept: &Kept) -> Option<&RequestId> {
    kept.request.id.as_ref()
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
    file.try_lock().map_err(io::Error::from)?;
    Ok(file)
}

/// The files of `token` in `folder` whose runs have ended, oldest first, and what is in them.
fn left_behind(folder: &Path, token: &Token) -> Vec<(PathBuf, Vec<Kept>)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut left = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        let ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        let Some(file) = ours.then(|| File::open(&path).ok()).flatten() else { continue };
        let changed = file.metadata().and_then(|data| data.modified()).unwrap_or(UNIX_EPOCH);
        // A run that has not ended holds the lock.
        if file.try_lock().is_err() {
            continue;
        }
        let mut lines = BufReader::new(&file).lines().map_while(Result::ok);
        if lines.next().as_deref() == Some(token.as_str()) {
            left.push((changed, path, read(lines)));
        } else if changed.elapsed().is_ok_and(|age| age > FILES_KEPT) {
            let _ = fs::remove_file(path);
        }
    }
    left.sort_by_key(|(changed, ..)| *changed);
    left.into_iter().map(|(_, path, kept)| (path, kept)).collect()
}

fn read(lines: impl Iterator<Item = String>) -> Vec<Kept> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut kept: Vec<Kept> = Vec::new();
    for line in lines {
        // What a crash has cut off means nothing.
        let Some((mark, rest)) = line.split_once(' ') else { continue };
        let entry = rest.split_once(' ').and_then(|(at, request)| {
            let request = json::decode_request(request.as_bytes()).ok()?;
            Some((Duration::from_secs(at.parse().ok()?), request))
        });
        let done =
            entry.as_ref().map_or(Some(rest), |(_, request)| request.id.as_ref().map(RequestId::as_str));
        kept.retain(|kept| id(kept).map(RequestId::as_str) != done);
        if let Some((at, request)) = entry {
            // A clock that has gone back tells no age.
            let fresh = now.checked_sub(at).is_some_and(|age| age < IDS_KEPT);
            kept.push(Kept { request, failed: mark != "+" || !fresh });
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstalk_protocol::{Command, RoomName, Target, Text};

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            Self(std::env::temp_dir().join(format!("crosstalk-{:016x}", fastrand::u64(..))))
        }

        fn files(&self) -> usize {
            fs::read_dir(&self.0).map_or(0, Iterator::count)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn token() -> Token {
        Token::new("secret").unwrap()
    }

    fn kept(id: &str, failed: bool) -> Kept {
        let to = Target::Room(RoomName::lobby());
        let text = Text::clean(id).unwrap();
        let command = Command::Send { to, text, action: false, reply: None };
        Kept { request: Request { id: RequestId::new(id), command }, failed }
    }

    #[test]
    fn what_is_not_done_with_is_handed_over_to_the_next_run_once() {
        let folder = Folder::new();
        let mut first = Journal::default();
        assert!(first.open(&folder.0, &token()).is_empty());
        first.keep(&[kept("a", false), kept("b", false), kept("c", false)]).unwrap();
        first.keep(&[kept("b", false), kept("c", true)]).unwrap();
        // As long as it runs, what is in its file is its own.
        assert!(Journal::default().open(&folder.0, &token()).is_empty());
        drop(first);
        assert!(Journal::default().open(&folder.0, &Token::new("other").unwrap()).is_empty());
        let mut next = Journal::default();
        let wanted = [kept("b", false), kept("c", true)];
        assert_eq!(next.open(&folder.0, &token()), wanted);
        assert!(Journal::default().open(&folder.0, &token()).is_empty());
        // Killed at once, it has lost nothing.
        drop(next);
        assert_eq!(Journal::default().open(&folder.0, &token()), wanted);
    }

    #[test]
    fn what_is_kept_moves_along_to_another_identity() {
        let folder = Folder::new();
        let other = Token::new("other").unwrap();
        let mut journal = Journal::default();
        journal.open(&folder.0, &token());
        journal.keep(&[kept("a", false)]).unwrap();
        assert!(journal.open(&folder.0, &other).is_empty());
        journal.keep(&[kept("a", true)]).unwrap();
        assert!(journal.holds());
        drop(journal);
        assert_eq!(folder.files(), 1);
        assert_eq!(Journal::default().open(&folder.0, &other), [kept("a", true)]);
    }

    #[test]
    fn a_run_that_leaves_nothing_leaves_no_file() {
        let folder = Folder::new();
        let mut journal = Journal::default();
        journal.open(&folder.0, &token());
        assert_eq!(folder.files(), 0);
        journal.keep(&[kept("a", false)]).unwrap();
        journal.keep(&[]).unwrap();
        journal.keep(&[kept("b", false)]).unwrap();
        journal.keep(&[]).unwrap();
        drop(journal);
        assert_eq!(folder.files(), 0);
    }

    #[test]
    fn what_is_old_or_torn_is_not_sent_by_itself() {
        let line = |at: u64| format!("+ {at} {}", json::encode_request(&kept("a", false).request));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(read([line(now)].into_iter()), [kept("a", false)]);
        assert_eq!(read([line(now - 100_000)].into_iter()), [kept("a", true)]);
        assert_eq!(read([line(now + 100_000)].into_iter()), [kept("a", true)]);
        assert_eq!(read([line(now), line(now)[..40].to_owned()].into_iter()), [kept("a", false)]);
        assert!(read([line(now), "- a".to_owned()].into_iter()).is_empty());
    }
}
