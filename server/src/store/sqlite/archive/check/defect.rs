//! What can be wrong, and the words for it.

use std::collections::BTreeMap;

use crosstalk_protocol::line::render::grouped;

/// How many of a kind are named.
const EXAMPLES: usize = 3;

/// What can be wrong, in the order in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Defect {
    Structure,
    Layout,
    RoomMalformed,
    RoomDoubled,
    RoomNumber,
    RoomAlone,
    EntryHomeless,
    EntryBeyond,
    EntryExpired,
    EntryMalformed,
    EntryTime,
    ChangeOfNothing,
    WithdrawnThere,
    RoomMessages,
    RoomBytes,
    UserMalformed,
    SeatWithoutUser,
    SeatWithoutRoom,
    SeatAhead,
    ReceiptImpossible,
    ReceiptLost,
    ReceiptOfAnother,
    WordsMissing,
    WordsLeft,
    WordsDifferent,
    Unfinished,
}

impl Defect {
    fn words(self) -> &'static str {
        match self {
            Self::Structure => "SQLite finds the file damaged",
            Self::Layout => "tables or indices are not those of this version",
            Self::RoomMalformed => "rooms cannot be read",
            Self::RoomDoubled => "rooms share their name with another",
            Self::RoomNumber => "rooms have numbers that could be given again",
            Self::RoomAlone => "direct conversations are not between two",
            Self::EntryHomeless => "entries belong to no room",
            Self::EntryBeyond => "entries have higher numbers than their room has given",
            Self::EntryExpired => "entries are there that retention has removed",
            Self::EntryMalformed => "entries cannot be read",
            Self::EntryTime => "entries have a time that cannot be",
            Self::ChangeOfNothing => "changes and withdrawals are not of an earlier message of their room",
            Self::WithdrawnThere => "messages are there that were withdrawn",
            Self::RoomMessages => "rooms count other messages than they have",
            Self::RoomBytes => "rooms count other bytes than they have",
            Self::UserMalformed => "people cannot be read",
            Self::SeatWithoutUser => "places in rooms are nobody's",
            Self::SeatWithoutRoom => "places are in no room",
            Self::SeatAhead => "people have read more than there is",
            Self::ReceiptImpossible => "receipts are for entries that never were",
            Self::ReceiptLost => "receipts are for entries that are lost",
            Self::ReceiptOfAnother => "receipts are for somebody else's entries",
            Self::WordsMissing => "messages are not found by their words",
            Self::WordsLeft => "messages are gone and still found by their words",
            Self::WordsDifferent => "messages are found by other words than they have",
            Self::Unfinished => "the check could not go on",
        }
    }
}

/// All that is wrong.
#[derive(Debug, Default)]
pub(super) struct Defects(BTreeMap<Defect, Few>);

#[derive(Debug, Default)]
struct Few {
    count: usize,
    examples: Vec<String>,
}

impl Defects {
    /// Notes one more.
    pub(super) fn add(&mut self, defect: Defect, example: impl FnOnce() -> String) {
        let few = self.0.entry(defect).or_default();
        few.count += 1;
        if few.examples.len() < EXAMPLES {
            few.examples.push(example());
        }
    }

    /// One line a kind, with how many there are and the first of them.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |(defect, few): (&Defect, &Few)| {
            let more = if few.count > few.examples.len() { ", …" } else { "" };
            format!("{}: {} ({}{more})", defect.words(), grouped(few.count), few.examples.join(", "))
        };
        self.0.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_one_line_with_the_first_examples() {
        let mut defects = Defects::default();
        for number in 1..=1_200 {
            defects.add(Defect::EntryTime, || format!("{number} in dev"));
        }
        defects.add(Defect::Structure, || "Page 7: never used".to_owned());
        assert_eq!(
            defects.lines(),
            [
                "SQLite finds the file damaged: 1 (Page 7: never used)",
                "entries have a time that cannot be: 1,200 (1 in dev, 2 in dev, 3 in dev, …)",
            ]
        );
    }
}
