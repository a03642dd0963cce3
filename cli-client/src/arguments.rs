//! The command line, and what is made of it where something is missing.

use clap::Parser;
use crosstalk_protocol::{Nick, RoomName};

use crate::address::Address;

/// Name of somebody of whom nothing is known.
const NAMELESS: &str = "guest";

/// Characters of a default nickname; a number may be put behind it.
const DEFAULT_NICK_MAX: usize = 28;

const BEHIND_HELP: &str = "\
Ways to start:
  crosstalk                              asks for address and nickname
  crosstalk --nick alice chat.example    TCP, port 44444
  crosstalk http://chat.example:8080/    through a network that only lets HTTP pass
  make 2>&1 | crosstalk --nick builder   every line of the build is a message

Keys on a terminal:
  Enter sends · Up, Down call lines back · Ctrl-A, Ctrl-E go to start and end ·
  Ctrl-U, Ctrl-K, Ctrl-W remove to the start, to the end, a word ·
  Ctrl-L clears the screen · Ctrl-C, Ctrl-D on an empty line and /quit leave

What is kept:
  $XDG_STATE_HOME/crosstalk (or ~/.local/state/crosstalk) holds who you were at
  each server, for you alone: whoever has these files is you there.

Exit codes:
  0  left, or the input is over and every line has been acknowledged
  1  a message or command was refused, or the room to write to does not exist
  2  the command line is wrong
  3  the server could not be reached, was lost, or does not know what arrived
  4  the nickname was refused";

/// The terminal client of Crosstalk.
///
/// On a terminal it is a chat: what arrives is shown above the line being typed, /help lists the
/// commands, and a lost connection is made again.
///
/// In a pipe each line of standard input is a message, whatever it begins with, and what arrives
/// goes to standard output, one line each. At the end of the input it waits until the server has
/// everything. Reasons for a failure go to standard error.
#[derive(Clone, Debug, Parser)]
#[command(name = "crosstalk", version, after_long_help = BEHIND_HELP)]
pub(crate) struct Arguments {
    /// The server: host:port or host (TCP, port 44444), ws://host:port or http://host:port
    /// (WebSocket). In a pipe it is localhost if left out; on a terminal it is asked for.
    #[arg(env = "CROSSTALK_ADDRESS")]
    pub(crate) address: Option<Address>,

    /// Your nickname: 1 to 32 letters, digits, '_', '-' and '.'. In a pipe it is your user name
    /// if left out, with a number behind it if that is taken; on a terminal it is asked for.
    #[arg(short, long, value_name = "NAME", env = "CROSSTALK_NICK")]
    pub(crate) nick: Option<Nick>,

    /// The room to write to, which has to exist. On a terminal one is in the lobby as well; in a
    /// pipe one is in this room only.
    #[arg(short, long, value_name = "ROOM")]
    pub(crate) room: Option<RoomName>,

    /// Come as somebody new. Without it, who had this nickname at this server before, from this
    /// account, comes back: to their rooms, and to what they have not read. A pipe always is
    /// somebody new.
    #[arg(long)]
    pub(crate) new: bool,

    /// How long a pipe tries to come back after a lost connection; 0 ends it at once. On a terminal
    /// there is no end to it.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) patience: u64,

    /// Carry out /commands in a pipe, too. Without it a line that begins with a slash is a message
    /// like any other, so that no log can give orders.
    #[arg(long)]
    pub(crate) commands: bool,
}

/// A nickname made from the user's name on this machine.
pub(crate) fn default_nick() -> Nick {
    let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    nick_from(&user.unwrap_or_default())
}

fn nick_from(user: &str) -> Nick {
    let allowed = |c: char| if c.is_alphanumeric() || "_-.".contains(c) { c } else { '-' };
    let name: String = user.chars().map(allowed).take(DEFAULT_NICK_MAX).collect();
    name.trim_matches(['-', '.']).parse().unwrap_or_else(|_| {
        NAMELESS.parse().expect("it is a name of five letters that is not kept for the server")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_fits_80_columns() {
        let help = Arguments::command().term_width(80).render_long_help().to_string();
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn a_nickname_is_made_of_any_user_name() {
        assert_eq!(nick_from("alice").as_str(), "alice");
        assert_eq!(nick_from("EXAMPLE\\al ice").as_str(), "EXAMPLE-al-ice");
        assert_eq!(nick_from("-x-").as_str(), "x");
        assert_eq!(nick_from("server").as_str(), NAMELESS);
        assert_eq!(nick_from("").as_str(), NAMELESS);
        assert!(nick_from(&"x".repeat(100)).as_str().len() <= DEFAULT_NICK_MAX);
    }
}
