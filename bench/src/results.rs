//! What `compare` and `arrivals` have printed as JSON, each run a row, and what follows from it: medians,
//! and ratios to the limit. A ratio is one of two runs of the same turn, and then the median of those.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::report::{Row, median};
use crate::subject::Subject;

/// Rows of all runs, in the order in which they were made.
#[derive(Debug)]
pub(crate) struct Results(Vec<Row>);

/// How a fan-out was set, in the words of its rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting<'a> {
    /// How many read.
    pub(crate) readers: &'a str,
    /// Bytes of a text.
    pub(crate) bytes: &'a str,
    /// How much was sent.
    pub(crate) sent: &'a str,
}

/// What one delivery costs the server.
pub(crate) const COST: &str = "server µs CPU/delivery";

impl Results {
    /// Reads them.
    ///
    /// # Errors
    /// If there are none, or other ones.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("{} is missing", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not what was printed", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        Ok(Self(text.lines().map(Row::parse).collect::<Result<_, _>>()?))
    }

    /// Every row.
    pub(crate) fn rows(&self) -> &[Row] {
        &self.0
    }

    /// The different words in a column, in order; in that of numbers if they are some.
    pub(crate) fn words(&self, column: &str) -> Vec<&str> {
        let mut words: Vec<&str> = self.0.iter().filter_map(|row| row.word(column)).collect();
        words.sort_by_key(|word| (word.parse::<u64>().unwrap_or(0), *word));
        words.dedup();
        words
    }

    /// The rows of one server that say these words, in the order of the turns.
    fn of(&self, subject: Subject, words: &[(&str, &str)]) -> Vec<&Row> {
        let is_it = |row: &&Row| {
            row.word("server") == Some(subject.name())
                && words.iter().all(|(column, word)| row.word(column) == Some(word))
        };
        self.0.iter().filter(is_it).collect()
    }

    /// How many runs there were of each kind.
    pub(crate) fn turns(&self, subject: Subject, setting: Setting<'_>) -> usize {
        self.of(subject, &setting.words()).len()
    }

    /// What was measured of a fan-out; nothing if it failed at every turn.
    pub(crate) fn fanout(&self, subject: Subject, setting: Setting<'_>, column: &str) -> Option<f64> {
        known(self.of(subject, &setting.words()).iter().map(|row| row.number(column)))
    }

    /// What a delivery costs, as a multiple of the limit.
    pub(crate) fn ratio(&self, subject: Subject, setting: Setting<'_>) -> Option<f64> {
        let limits = self.of(Subject::Limit, &setting.words());
        let rows = self.of(subject, &setting.words());
        known(rows.iter().zip(limits).map(|(row, limit)| row.number(COST) / limit.number(COST)))
    }

    /// What was measured of a crowd that arrived.
    pub(crate) fn arrival(&self, subject: Subject, people: &str, column: &str) -> Option<f64> {
        known(self.of(subject, &[("people", people)]).iter().map(|row| row.number(column)))
    }

    /// Which version of a server there was; nothing if it was not measured.
    pub(crate) fn version(&self, subject: Subject) -> Option<&str> {
        self.of(subject, &[]).first().and_then(|row| row.word("version"))
    }
}

impl<'a> Setting<'a> {
    fn words(&self) -> [(&'static str, &'a str); 3] {
        [("readers", self.readers), ("bytes", self.bytes), ("sent", self.sent)]
    }
}

/// The median of those that are known.
fn known(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    (!values.is_empty()).then(|| median(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_one_of_the_same_turn() {
        let row = |server: &str, cost: &str| {
            format!(r#"{{"server":"{server}","readers":"5","bytes":"9","sent":"now",{cost}}}"#)
        };
        let cost = |cost: f64| format!(r#""{COST}":{cost}"#);
        let rows = [
            row("the limit", &cost(1.0)),
            row("NATS", &cost(2.0)),
            row("the limit", &cost(10.0)),
            row("NATS", r#""trouble":"lost""#),
            row("the limit", &cost(4.0)),
            row("NATS", &cost(12.0)),
        ];
        let results = Results::parse(&rows.join("\n")).unwrap();
        let setting = Setting { readers: "5", bytes: "9", sent: "now" };
        assert_eq!(results.ratio(Subject::Nats, setting), Some(2.5));
        assert_eq!(results.fanout(Subject::Nats, setting, COST), Some(7.0));
        assert_eq!(results.fanout(Subject::Nats, Setting { readers: "6", ..setting }, COST), None);
        assert_eq!(results.turns(Subject::Nats, setting), 3);
    }
}
