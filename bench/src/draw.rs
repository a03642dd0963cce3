//! `draw`: what `compare` and `arrivals` have measured, as tables and charts in a report. It replaces what
//! is between two comments there, and nothing else.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::chart::Whose;
use crate::chart::bars::{Bars, Panel};
use crate::chart::lines::{Curve, Lines};
use crate::chart::scale::Kind;
use crate::report::{Row, shown_number, table};
use crate::results::{COST, Results, Setting};
use crate::subject::Subject;

/// Flags of the scenario.
#[derive(Debug, Args)]
pub(crate) struct Draw {
    /// Rows of compare with all servers
    #[arg(long, value_name = "FILE")]
    compared: PathBuf,

    /// Rows of compare with other numbers of readers, and other texts
    #[arg(long, value_name = "FILE")]
    grown: PathBuf,

    /// Rows of arrivals
    #[arg(long, value_name = "FILE")]
    arrived: PathBuf,

    /// The report; charts go into charts/ beside it
    #[arg(long, value_name = "FILE")]
    report: PathBuf,
}

/// Writes the charts, and the section about them.
///
/// # Errors
/// The system's, or if there are no such rows.
pub(crate) fn run(draw: &Draw) -> anyhow::Result<()> {
    let measured = Measured {
        compared: Results::read(&draw.compared)?,
        grown: Results::read(&draw.grown)?,
        arrived: Results::read(&draw.arrived)?,
    };
    let directory = draw.report.parent().unwrap_or(Path::new("")).join("charts");
    fs::create_dir_all(&directory)?;
    let mut section = format!("## Beside other servers\n\n{}", measured.method());
    let _ = write!(section, "\n{}", measured.costs());
    for (name, chart) in [
        ("cost", measured.cost_chart()),
        ("latency", measured.latency_chart()),
        ("crowd", measured.crowd_chart()),
    ] {
        fs::write(directory.join(format!("{name}.svg")), chart.draw())?;
        let _ = write!(section, "\n{}", image(name, &chart.title));
        if name == "cost" {
            let _ = write!(section, "\n{}", measured.times());
        }
    }
    for (name, chart) in [("readers", measured.readers_chart()), ("bytes", measured.bytes_chart())] {
        fs::write(directory.join(format!("{name}.svg")), chart.draw())?;
        // There is no table with these figures for those who do not see the chart.
        let text = format!("{}: {}", chart.title, chart.description());
        let _ = write!(section, "\n{}", image(name, &text));
    }
    section.push_str(&measured.troubles());
    let report = fs::read_to_string(&draw.report)
        .with_context(|| format!("{} cannot be read", draw.report.display()))?;
    Ok(fs::write(&draw.report, with_section(&report, &section))?)
}

struct Measured {
    compared: Results,
    grown: Results,
    arrived: Results,
}

/// How the servers are compared.
const READERS: &str = "500";
const BYTES: &str = "100";
const PACES: [&str; 3] = ["64 in flight", "1 in flight", "50 a second"];

fn at(sent: &str) -> Setting<'_> {
    Setting { readers: READERS, bytes: BYTES, sent }
}

impl Measured {
    fn method(&self) -> String {
        let turns = self.compared.turns(Subject::Limit, at(PACES[0]));
        format!(
            "`bench/compare` has the same {READERS} readers in one room and the same publisher of texts of \
             {BYTES} bytes on Crosstalk (with `--ephemeral`), on other servers as Debian packages them, and \
             on *the limit*, a relay that copies what it reads to everybody else with one write each: what \
             the kernel alone costs. All of them are measured in turns, each number is the median of {turns} \
             runs, the server has one processor and the load generator the other, and what slows people down \
             in the other servers' configurations is turned off. The machine does not hold still, so what \
             counts is the multiple of the limit in the same turn, and of deliveries a second there cannot be \
             more than the load generator reads. \"Python\" is `bench/peers/threaded.py`, \
             a thread for each client and a `sendall` for each reader.\n"
        )
    }

    /// What deliveries cost.
    fn costs(&self) -> String {
        let row = |subject: Subject| {
            let mut row = Row::default()
                .with("server", subject.name())
                .with("version", self.compared.version(subject).unwrap_or_default());
            for (sent, cost, ratio) in [
                (PACES[0], "64 in flight: µs CPU/delivery", "× the limit"),
                (PACES[1], "1 in flight: µs CPU/delivery", "× the limit "),
                (PACES[2], "50 a second: µs CPU/delivery", "× the limit  "),
            ] {
                row = with(row, cost, self.compared.fanout(subject, at(sent), COST));
                row = with(row, ratio, self.compared.ratio(subject, at(sent)));
            }
            row
        };
        table(&self.subjects().map(row).collect::<Vec<_>>())
    }

    /// How much and how soon, and what a crowd costs.
    fn times(&self) -> String {
        let people = self.arrived.words("people");
        let row = |subject: Subject| {
            let mut row = Row::default().with("server", subject.name());
            let most = self.compared.fanout(subject, at(PACES[0]), "deliveries/s");
            row = with(row, "64 in flight: deliveries/s", most);
            for sent in PACES {
                let p99 = self.compared.fanout(subject, at(sent), "p99 ms");
                row = with(row, &format!("{sent}: p99 ms"), p99);
            }
            row = with(row, "KiB per idle connection", self.memory(subject));
            for people in &people {
                let name = format!("{} in one room after s", thousands(people));
                let value = self.arrived.arrival(subject, people, "all there after s");
                row = match value {
                    None if !subject.has_presence() => row.with(&name, "tells nobody"),
                    value => with(row, &name, value),
                };
            }
            row
        };
        table(&self.subjects().map(row).collect::<Vec<_>>())
    }

    fn memory(&self, subject: Subject) -> Option<f64> {
        let fewest = *self.arrived.words("people").first()?;
        self.arrived.arrival(subject, fewest, "KiB each")
    }

    fn cost_chart(&self) -> Bars {
        self.bars(
            "Processor time of a delivery, as a multiple of the limit (logarithmic)",
            PACES.map(|sent| (sent.to_owned(), " ×", Kind::Logarithmic, 1.0)),
            |panel, subject| self.compared.ratio(subject, at(PACES[panel])),
        )
    }

    fn latency_chart(&self) -> Bars {
        self.bars(
            "How long 99 of 100 deliveries take at most (logarithmic)",
            PACES.map(|sent| (sent.to_owned(), " ms", Kind::Logarithmic, 1.0)),
            |panel, subject| self.compared.fanout(subject, at(PACES[panel]), "p99 ms"),
        )
    }

    fn crowd_chart(&self) -> Bars {
        let people = self.arrived.words("people").first().copied().unwrap_or_default();
        let panels = [
            ("memory per idle connection".to_owned(), " KiB", Kind::Linear, 0.0),
            (format!("until {} are in one room", thousands(people)), " s", Kind::Linear, 0.0),
        ];
        self.bars("What a crowd costs", panels, |panel, subject| match panel {
            0 => self.memory(subject),
            _ => self.arrived.arrival(subject, people, "all there after s"),
        })
    }

    fn bars<const N: usize>(
        &self,
        title: &str,
        panels: [(String, &'static str, Kind, f64); N],
        value: impl Fn(usize, Subject) -> Option<f64>,
    ) -> Bars {
        let rows: Vec<Subject> = self.subjects().collect();
        let panel = |(number, (title, unit, kind, from))| {
            let values = rows.iter().map(|subject| value(number, *subject)).collect();
            Panel { title, unit, kind, from, values }
        };
        Bars {
            title: title.to_owned(),
            rows: rows.iter().map(|subject| (subject.name().to_owned(), whose(*subject))).collect(),
            panels: panels.into_iter().enumerate().map(panel).collect(),
        }
    }

    fn readers_chart(&self) -> Lines {
        self.lines("readers", "readers of the room", &|value| Setting { readers: value, ..at(PACES[0]) })
    }

    fn bytes_chart(&self) -> Lines {
        self.lines("bytes", "bytes of a text", &|value| Setting { bytes: value, ..at(PACES[0]) })
    }

    fn lines<'a>(
        &'a self,
        column: &str,
        across: &'static str,
        setting: &dyn Fn(&'a str) -> Setting<'a>,
    ) -> Lines {
        let values = self.grown.words(column);
        let curve = |subject: Subject| {
            let point = |value: &&'a str| {
                let cost = self.grown.fanout(subject, setting(value), COST)?;
                Some((value.parse().ok()?, cost))
            };
            Curve {
                name: subject.name().to_owned(),
                whose: whose(subject),
                points: values.iter().filter_map(point).collect(),
            }
        };
        let is_drawn = |curve: &Curve| !curve.points.is_empty();
        Lines {
            title: format!("Processor time of a delivery over {across}, {}", PACES[0]),
            across,
            up: "µs CPU per delivery",
            curves: Subject::value_variants()
                .iter()
                .map(|subject| curve(*subject))
                .filter(is_drawn)
                .collect(),
        }
    }

    /// Those who were measured.
    fn subjects(&self) -> impl Iterator<Item = Subject> {
        let all = Subject::value_variants().iter().copied();
        all.filter(|subject| self.compared.version(*subject).is_some())
    }

    /// What went wrong, if anything did.
    fn troubles(&self) -> String {
        let rows = self.compared.rows().iter().chain(self.arrived.rows());
        let trouble = |row: &Row| {
            let what = match row.word("people") {
                Some(people) => format!("{} in one room", thousands(people)),
                None => row.word("sent").unwrap_or_default().to_owned(),
            };
            Some(format!("- {}, {what}: {}.\n", row.word("server")?, row.word("trouble")?))
        };
        let troubles: BTreeSet<String> = rows.filter_map(trouble).collect();
        match troubles.is_empty() {
            true => String::new(),
            false => format!("\nWhat went wrong:\n\n{}", troubles.into_iter().collect::<String>()),
        }
    }
}

fn whose(subject: Subject) -> Whose {
    match subject {
        Subject::Limit => Whose::Limit,
        Subject::Crosstalk | Subject::CrosstalkWs => Whose::Ours,
        _ => Whose::Theirs,
    }
}

fn with(row: Row, name: &str, value: Option<f64>) -> Row {
    match value {
        Some(value) => row.with(name, value),
        None => row.with(name, "failed"),
    }
}

fn thousands(number: &str) -> String {
    number.parse().map_or_else(|_| number.to_owned(), shown_number)
}

fn image(name: &str, text: &str) -> String {
    format!("![{text}](charts/{name}.svg)\n")
}

const BEGIN: &str = "<!-- compare -->";
const END: &str = "<!-- /compare -->";

/// The report with this section in the place of the old one, or behind everything if there was none.
fn with_section(report: &str, section: &str) -> String {
    let section = format!("{BEGIN}\n{}\n{END}", section.trim_end());
    let place = report.find(BEGIN).and_then(|begin| {
        let len = report[begin..].find(END)? + END.len();
        Some(begin..begin + len)
    });
    match place {
        Some(place) => [&report[..place.start], &section, &report[place.end..]].concat(),
        None => format!("{}\n\n{section}\n", report.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_comments_is_replaced() {
        let once = with_section("# Report\n\nBefore.\n", "first\n");
        assert_eq!(once, "# Report\n\nBefore.\n\n<!-- compare -->\nfirst\n<!-- /compare -->\n");
        let twice = with_section(&format!("{once}\nBehind.\n"), "second");
        assert_eq!(twice, "# Report\n\nBefore.\n\n<!-- compare -->\nsecond\n<!-- /compare -->\n\nBehind.\n");
    }
}
