//! Who the user has been: the tokens by which servers know them again, one file each, for the
//! user alone.
//!
//! `$XDG_STATE_HOME/crosstalk/SERVER/NICKNAME`, or `~/.local/state/crosstalk/…`. A file is replaced
//! as a whole, so a crash leaves the old one or the new one.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crosstalk_protocol::{Nick, Token};

use crate::address::Address;
use crate::connection::describe;

/// The files, or none where there is no place for them.
#[derive(Debug)]
pub(crate) struct Identities {
    folder: Option<PathBuf>,
    /// Whether to come as somebody new.
    new: bool,
    /// Where the user was remembered last: under another nickname, that is gone.
    last: Option<PathBuf>,
    /// Whether the user has been told that nothing can be remembered.
    told: bool,
}

impl Identities {
    /// Those of the user of this process. If they want to be somebody `new`, nobody is recalled.
    pub(crate) fn new(new: bool) -> Self {
        let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
        Self::inside(state.map(|state| state.join("crosstalk")), new)
    }

    fn inside(folder: Option<PathBuf>, new: bool) -> Self {
        Self { folder, new, last: None, told: false }
    }

    /// The token of whoever was `nick` at `server` last.
    pub(crate) fn recall(&self, server: &Address, nick: &Nick) -> Option<Token> {
        let path = self.path(server, nick).filter(|_| !self.new)?;
        Token::new(fs::read_to_string(path).ok()?.trim_end())
    }

    /// Keeps the token of whoever is `nick` at `server` now.
    ///
    /// # Errors
    /// Why that is impossible, in words, the first time.
    pub(crate) fn remember(&mut self, server: &Address, nick: &Nick, token: &Token) -> Result<(), String> {
        let Some(path) = self.path(server, nick) else { return Ok(()) };
        if let Err(error) = replace(&path, token) {
            let told = std::mem::replace(&mut self.told, true);
            let reason =
                format!("The next start will be as somebody new: {}: {}.", path.display(), describe(&error));
            return if told { Ok(()) } else { Err(reason) };
        }
        // Another client of the user's may have put somebody else there meanwhile.
        if let Some(last) = self.last.replace(path.clone())
            && last != path
            && fs::read_to_string(&last).is_ok_and(|kept| kept.trim_end() == token.as_str())
        {
            let _ = fs::remove_file(last);
        }
        Ok(())
    }

    /// Where everything about `server` is.
    pub(crate) fn place(&self, server: &Address) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(file_name(&server.to_string())))
    }

    fn path(&self, server: &Address, nick: &Nick) -> Option<PathBuf> {
        let folder = self.place(server)?;
        // A nickname begins with a letter, a digit or `_`, and has no separator of paths in it.
        Some(folder.join(nick.as_str().to_lowercase()))
    }
}

/// An address as the name of a file: all but letters, digits and `.-` as `%` and a number.
fn file_name(address: &str) -> String {
    let mut name = String::new();
    for byte in address.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-') {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02x}"));
        }
    }
    name
}

fn replace(path: &Path, token: &Token) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let new = folder.join(format!(".{:016x}", fastrand::u64(..)));
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).and_then(|mut file| {
            file.write_all(format!("{}\n", token.as_str()).as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, path)
        });
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A folder of its own, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("crosstalk-{:016x}", fastrand::u64(..)));
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn names() -> (Address, Nick, Nick) {
        ("ws://host:80/a".parse().unwrap(), "alice".parse().unwrap(), "alicia".parse().unwrap())
    }

    #[test]
    fn who_was_remembered_is_recalled_at_that_server_under_that_name_only() {
        let folder = Folder::new();
        let (server, alice, alicia) = names();
        let token = Token::new("secret").unwrap();
        let mut identities = Identities::inside(Some(folder.0.join("state")), false);
        assert_eq!(identities.recall(&server, &alice), None);
        identities.remember(&server, &alice, &token).unwrap();
        let again = Identities::inside(Some(folder.0.join("state")), false);
        assert_eq!(again.recall(&server, &"ALICE".parse().unwrap()), Some(token.clone()));
        assert_eq!(again.recall(&server, &alicia), None);
        assert_eq!(again.recall(&"ws://host:80/b".parse().unwrap(), &alice), None);
        assert_eq!(Identities::inside(Some(folder.0.join("state")), true).recall(&server, &alice), None);
        let path = again.path(&server, &alice).unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn who_takes_another_name_is_remembered_under_that_one() {
        let folder = Folder::new();
        let (server, alice, alicia) = names();
        let token = Token::new("secret").unwrap();
        let mut identities = Identities::inside(Some(folder.0.clone()), false);
        identities.remember(&server, &alice, &token).unwrap();
        identities.remember(&server, &alicia, &token).unwrap();
        assert_eq!(identities.recall(&server, &alicia), Some(token.clone()));
        assert_eq!(identities.recall(&server, &alice), None);
        let files = fs::read_dir(folder.0.join("ws%3a%2f%2fhost%3a80%2fa")).unwrap().count();
        assert_eq!(files, 1, "nothing else is left behind");
    }

    #[test]
    fn a_place_that_cannot_be_written_to_is_told_once() {
        let folder = Folder::new();
        let (server, alice, _) = names();
        fs::write(folder.0.join("state"), "a file").unwrap();
        let mut identities = Identities::inside(Some(folder.0.join("state")), false);
        let token = Token::new("secret").unwrap();
        assert!(identities.remember(&server, &alice, &token).unwrap_err().contains("somebody new"));
        assert!(identities.remember(&server, &alice, &token).is_ok());
    }
}
