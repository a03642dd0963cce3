//! Sentences about what happened in a room: the server's line door has them, and the client says
//! the same.

use crosstalk_protocol::line::render::{self, Notice, Style};
use crosstalk_protocol::{Nick, Presence, Record, RoomName, limits};

/// Who came and went. `own` is not news to oneself.
pub(crate) fn presence(presence: &Presence, own: &Nick) -> Vec<String> {
    let Presence { room, joined, joined_count, left, left_count, count } = presence;
    // A conversation of two is not a place that people come to.
    if room.is_direct() {
        return Vec::new();
    }
    let (came, joined_count) = others(joined, *joined_count, own);
    let (went, left_count) = others(left, *left_count, own);
    if came.len() < joined_count || went.len() < left_count {
        let crowd =
            Notice::Crowd { room: room.clone(), joined: joined_count, left: left_count, count: *count };
        return vec![notice(&crowd)];
    }
    let came = came.into_iter().map(|nick| match room.is_lobby() {
        true => Notice::Online(nick),
        false => Notice::Joined { nick, room: room.clone() },
    });
    let went = went.into_iter().map(|nick| match room.is_lobby() {
        true => Notice::Offline { nick, quit: false },
        false => Notice::Left { nick, room: room.clone() },
    });
    came.chain(went).map(|one| notice(&one)).collect()
}

/// Somebody else has another nickname.
pub(crate) fn renamed(from: &Nick, to: &Nick) -> String {
    notice(&Notice::Renamed { from: from.clone(), to: to.clone() })
}

/// What a gap means to a reader.
pub(crate) fn gap(room: &RoomName, after: u64, before: u64) -> String {
    let lost = before.saturating_sub(after.saturating_add(1));
    match (after, lost) {
        // It is another life of the log, of which the numbers say nothing.
        (0, _) | (_, 0) => {
            format!("Server: messages in {room} may be missing here; the server has started anew.")
        }
        (_, 1) => format!("Server: a message in {room} is missing here; it is not kept any more."),
        (_, lost) => format!(
            "Server: up to {} messages in {room} are missing here; they are not kept any more.",
            render::grouped(usize::try_from(lost).unwrap_or(usize::MAX))
        ),
    }
}

/// The line above a room's last messages.
pub(crate) fn history(room: &RoomName, count: usize) -> String {
    let place = place(room);
    match count {
        0 => format!("Server: no messages {place} yet."),
        1 => format!("Server: the last message {place}:"),
        _ => format!("Server: the last {} messages {place}:", render::grouped(count)),
    }
}

/// Where something was said.
pub(crate) fn place(room: &RoomName) -> String {
    if room.is_direct() { "between the two of you".to_owned() } else { format!("in {room}") }
}

/// The line above what was found in a room's log, `older` than what was found before.
pub(crate) fn found(room: &RoomName, count: usize, older: bool) -> String {
    let older = if older { "older " } else { "" };
    match count {
        0 => format!("Server: nothing {older}found {}.", place(room)),
        1 => format!("Server: one {older}message found {}:", place(room)),
        _ => format!("Server: {} {older}messages found {}:", render::grouped(count), place(room)),
    }
}

/// What has become of a message.
pub(crate) fn change(record: &Record) -> String {
    let mut line = Vec::new();
    render::record(record, Style::Lf, &mut line);
    String::from_utf8_lossy(&line).trim_end().to_owned()
}

/// How many messages are unread.
pub(crate) fn unread(count: usize) -> String {
    let more = if count >= limits::UNREAD_MAX { " or more" } else { "" };
    format!("{}{more} unread", render::grouped(count))
}

/// A sentence behind others about messages that wait, or nothing.
pub(crate) fn not_sent(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " One message may not have been sent.".to_owned(),
        more => format!(" {more} messages may not have been sent."),
    }
}

fn others(names: &[Nick], count: usize, own: &Nick) -> (Vec<Nick>, usize) {
    let others: Vec<Nick> = names.iter().filter(|nick| *nick != own).cloned().collect();
    let own = names.len() - others.len();
    (others, count.saturating_sub(own))
}

fn notice(notice: &Notice) -> String {
    let mut line = Vec::new();
    render::notice(notice, Style::Lf, &mut line);
    String::from_utf8_lossy(&line).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(
        room: &str,
        joined: &[&str],
        joined_count: usize,
        left: &[&str],
        count: usize,
    ) -> Vec<String> {
        let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<Nick>>();
        let event = Presence {
            room: room.parse().unwrap(),
            joined: names(joined),
            joined_count,
            left: names(left),
            left_count: left.len(),
            count,
        };
        presence(&event, &"me".parse().unwrap())
    }

    #[test]
    fn who_is_named_is_named_and_the_rest_counted() {
        assert_eq!(
            sentences("lobby", &["al"], 1, &["bo"], 2),
            ["Server: al is online!", "Server: bo is offline."]
        );
        assert_eq!(
            sentences("dev", &["al"], 1, &["bo"], 2),
            ["Server: al joined dev.", "Server: bo left dev."]
        );
        let ten = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        assert_eq!(sentences("lobby", &ten, 37, &[], 5000), ["Server: 37 people came online, 5,000 here."]);
    }

    #[test]
    fn one_is_not_told_of_oneself() {
        assert!(sentences("lobby", &["me"], 1, &[], 1).is_empty());
        assert_eq!(sentences("lobby", &["Me", "al"], 2, &[], 2), ["Server: al is online!"]);
    }

    #[test]
    fn a_gap_is_told_with_what_is_known_of_it() {
        let lobby = RoomName::lobby();
        assert!(gap(&lobby, 40, 42).starts_with("Server: a message in lobby"));
        assert!(gap(&lobby, 40, 5042).contains("5,001 messages"));
        assert!(gap(&lobby, 0, 1).contains("started anew"));
    }
}
