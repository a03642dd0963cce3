//! What was said before somebody came: the last messages of a room, and how many there are that
//! somebody who comes back has not seen.

use crosstalk_protocol::line::{Style, render};
use crosstalk_protocol::{Command, Entered, Event, HistoryRange, Target};

use super::LineDoor;
use crate::hub::Absence;
use crate::outgoing::Outgoing;
use crate::session::Refusal;

impl LineDoor {
    /// `/history on` and `/history off`.
    pub(super) fn set_backlog(&mut self, shown: bool, out: &mut Outgoing) {
        self.shows_backlog = shown;
        let words = match (shown, self.backlog) {
            (true, None) => "Server: This server shows no messages on entering a room; /history does.",
            (true, Some(_)) => "Server: The last messages are shown on entering a room.",
            (false, _) => "Server: No messages are shown on entering a room.",
        };
        self.reply(words, out);
    }

    /// The last messages of a room that has just been entered. The original had none: its clients
    /// would take them for new ones.
    pub(super) async fn show_backlog(
        &mut self,
        entered: &Entered,
        out: &mut Outgoing,
    ) -> Result<(), Refusal> {
        let (Some(limit), true, false) = (self.backlog, self.shows_backlog, self.style() == Style::Unframed)
        else {
            return Ok(());
        };
        let of = Target::Room(entered.room.clone());
        // What is behind the position will be read in its turn.
        let range = HistoryRange::Before(entered.position.seq + 1);
        let result = self.ask(Command::History { of, range, limit }).await;
        match result {
            Ok(Some(Event::History { history, .. })) if !history.messages.is_empty() => {
                self.show(|lines| render::history(&history, Style::Lf, lines), out);
            }
            // They have entered all the same.
            Ok(_) | Err(Refusal::Error(_)) => {}
            Err(refusal) => return Err(refusal),
        }
        Ok(())
    }

    /// Tells somebody who comes back how much they have missed.
    pub(super) async fn show_missed(&mut self, out: &mut Outgoing) {
        let Some(Absence { rooms, .. }) = self.session.take_absence() else { return };
        if self.style() == Style::Unframed {
            return;
        }
        for (room, seen) in rooms {
            let missed = self.session.unread(&room, seen).await;
            if missed > 0 {
                self.reply(render::missed(&room.name, missed), out);
            }
        }
    }
}
