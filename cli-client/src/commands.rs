//! The commands that only this client has, beside the protocol's table.

use crosstalk_protocol::slash::{self, Typed};
use crosstalk_protocol::{ErrorReply, Nick, Text};

/// What somebody typed, understood.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Order {
    /// As on every other way in.
    Typed(Typed),
    /// `/again`: sends what has failed once more.
    Again,
    /// `/again drop`: forgets it.
    Drop,
    /// `/search` without words: older ones of what was found last.
    SearchOn,
    /// `/dm` without a message: what is typed goes to that person from now on.
    Talk(Nick),
}

impl Order {
    /// What the user has to say with it, if anything.
    pub(crate) fn words(&self) -> Option<&Text> {
        match self {
            Self::Typed(Typed::Say(text) | Typed::Me(text) | Typed::Edit(text) | Typed::Reply(_, text)) => {
                Some(text)
            }
            _ => None,
        }
    }
}

/// Understands one typed line.
///
/// # Errors
/// What to tell whoever typed it.
pub(crate) fn parse(line: &str) -> Result<Order, ErrorReply> {
    let mut words = line.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("/again"), None, _) => Ok(Order::Again),
        (Some("/again"), Some("drop"), None) => Ok(Order::Drop),
        (Some("/search" | "/find"), None, _) => Ok(Order::SearchOn),
        (Some("/dm" | "/msg"), Some(nick), None) => {
            Nick::parse(nick).map(Order::Talk).map_err(ErrorReply::bad_nick)
        }
        _ => slash::parse(line).map(Order::Typed),
    }
}

/// The rows of `/help`: at most 23 lines of at most 79 columns, so that the prompt fits below.
pub(crate) fn help() -> impl Iterator<Item = String> {
    let own = [
        ("/dm <user>", "go there: lines you type go to them alone"),
        ("/again [drop]", "send what failed once more; drop: forget it"),
    ];
    slash::help().chain(own.map(|(usage, summary)| format!("  {usage:<32} {summary}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_fits_a_screen_of_80_by_24() {
        let rows: Vec<String> = help().collect();
        assert!(rows.len() <= 23, "{} lines", rows.len());
        assert!(rows.iter().all(|row| row.chars().count() <= 79), "{rows:?}");
    }

    #[test]
    fn everything_else_is_the_protocols() {
        assert_eq!(parse("/again"), Ok(Order::Again));
        assert_eq!(parse("/again drop"), Ok(Order::Drop));
        assert_eq!(parse("/search "), Ok(Order::SearchOn));
        assert_eq!(parse("/search red"), Ok(Order::Typed(Typed::Search("red".to_owned()))));
        assert_eq!(parse("/dm bob"), Ok(Order::Talk("bob".parse().unwrap())));
        assert!(matches!(parse("/msg bob psst"), Ok(Order::Typed(Typed::Dm(..)))));
        assert!(parse("/dm").is_err());
        assert_eq!(parse("/quit"), Ok(Order::Typed(Typed::Quit)));
        assert!(parse("/again and again").is_err());
    }
}
