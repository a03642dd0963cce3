//! Results: rows of named values, as a table for people or as JSON, one object a row.

use std::fmt::Write;

use serde_json::{Map, Value};

/// One measured row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row(Vec<(String, Value)>);

impl Row {
    /// Adds a column.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.push((name.to_owned(), value.into()));
        self
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(column, _)| column == name).map(|(_, value)| value)
    }

    /// A row as it was printed as JSON.
    ///
    /// # Errors
    /// If it was not.
    pub(crate) fn parse(line: &str) -> anyhow::Result<Self> {
        Ok(Self(serde_json::from_str::<Map<String, Value>>(line)?.into_iter().collect()))
    }

    /// The word in a column.
    pub(crate) fn word(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// The number in a column.
    pub(crate) fn number(&self, name: &str) -> f64 {
        self.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN)
    }
}

/// Rows with the same settings, and those.
type Group<'a> = (Vec<(String, Value)>, Vec<&'a Row>);

/// One row for those that have the same words in them, in the order in which they first came: of each
/// number the median, and how many runs there were.
pub(crate) fn medians(rows: &[Row]) -> Vec<Row> {
    let words = |row: &Row| -> Vec<(String, Value)> {
        row.0.iter().filter(|(_, value)| !is_measured(value)).cloned().collect()
    };
    let mut groups: Vec<Group<'_>> = Vec::new();
    for row in rows {
        let key = words(row);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, group)) => group.push(row),
            None => groups.push((key, vec![row])),
        }
    }
    let of_group = |group: &[&Row]| {
        let column = |(name, value): &(String, Value)| {
            let value = match is_measured(value) {
                true => Value::from(median(group.iter().map(|row| row.number(name)).collect())),
                false => value.clone(),
            };
            (name.clone(), value)
        };
        Row(group[0].0.iter().map(column).collect()).with("runs", group.len().to_string())
    };
    groups.iter().map(|(_, group)| of_group(group)).collect()
}

/// Whether a value was measured; what was chosen is a word, or a whole number in words.
fn is_measured(value: &Value) -> bool {
    value.is_number()
}

/// The one in the middle; of two the mean.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[len / 2],
        len => f64::midpoint(values[len / 2 - 1], values[len / 2]),
    }
}

/// Writes rows to standard output.
pub(crate) fn print(rows: &[Row], as_json: bool) {
    if as_json {
        for row in rows {
            let object: Map<String, Value> = row.0.iter().cloned().collect();
            println!("{}", Value::Object(object));
        }
    } else {
        print!("{}", table(rows));
    }
}

/// A table as Markdown has it, which is readable as it stands.
pub(crate) fn table(rows: &[Row]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let names: Vec<&String> = first.0.iter().map(|(name, _)| name).collect();
    let mut lines = vec![names.iter().map(|name| (*name).clone()).collect::<Vec<_>>()];
    lines.extend(
        rows.iter().map(|row| names.iter().map(|name| row.get(name).map_or(String::new(), shown)).collect()),
    );
    let widths: Vec<usize> = (0..names.len())
        .map(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
        if number == 0 {
            for width in &widths {
                let _ = write!(text, "| {:-<width$} ", "");
            }
            text.push_str("|\n");
        }
    }
    text
}

fn shown(value: &Value) -> String {
    let text = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    value.as_f64().map_or_else(text, shown_number)
}

/// Three digits that count, and thousands apart.
pub(crate) fn shown_number(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        size if size < 10.0 => format!("{number:.2}"),
        size if size < 100.0 => format!("{number:.1}"),
        _ => grouped(number.round() as i64),
    }
}

fn grouped(number: i64) -> String {
    let digits = number.abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(mode: &str, rate: f64) -> Row {
        Row::default().with("mode", mode).with("rate", rate)
    }

    #[test]
    fn runs_of_the_same_kind_become_their_median() {
        let rows = [row("a", 1.0), row("b", 12_345.6), row("a", 9.0), row("a", 2.0)];
        let text = "\
| mode | rate   | runs |
| ---- | ------ | ---- |
| a    | 2.00   | 3    |
| b    | 12,346 | 1    |
";
        assert_eq!(table(&medians(&rows)), text);
    }

    #[test]
    fn numbers_have_three_digits_that_count() {
        let shown: Vec<_> = [0.0, 0.126, 12.34, 123.4, 1_234_567.0]
            .iter()
            .map(|number| shown(&Value::from(*number)))
            .collect();
        assert_eq!(shown, ["0", "0.13", "12.3", "123", "1,234,567"]);
    }
}
