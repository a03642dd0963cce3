//! Bars that lie: a row for each server, and beside each other a panel for each thing that was measured.

use crate::chart::Whose;
use crate::chart::scale::{Kind, Scale};
use crate::chart::svg::{Anchor, Svg};
use crate::report::shown_number;

/// A chart.
#[derive(Debug)]
pub(crate) struct Bars {
    /// What it shows.
    pub(crate) title: String,
    /// Names of the rows, and whose they are.
    pub(crate) rows: Vec<(String, Whose)>,
    /// What was measured.
    pub(crate) panels: Vec<Panel>,
}

/// One thing that was measured.
#[derive(Debug)]
pub(crate) struct Panel {
    /// What.
    pub(crate) title: String,
    /// In which unit, as it stands behind a number.
    pub(crate) unit: &'static str,
    /// How values become lengths.
    pub(crate) kind: Kind,
    /// Where bars begin on a logarithmic axis; if there is a smaller value, with that.
    pub(crate) from: f64,
    /// A value for each row, if there is one.
    pub(crate) values: Vec<Option<f64>>,
}

const WIDTH: f64 = 880.0;
const LEFT: f64 = 190.0;
const TOP: f64 = 68.0;
const ROW: f64 = 24.0;
const BAR: f64 = 14.0;
const GAP: f64 = 16.0;
/// Room for the number behind the longest bar.
const NUMBER: f64 = 62.0;

impl Bars {
    /// The chart as a file.
    pub(crate) fn draw(&self) -> String {
        let bottom = TOP + self.rows.len() as f64 * ROW;
        let mut svg = Svg::new(WIDTH, bottom + 30.0);
        svg.text("head", Anchor::Start, GAP, 26.0, &self.title);
        for (number, (name, whose)) in self.rows.iter().enumerate() {
            let class = if *whose == Whose::Ours { "own" } else { "" };
            svg.text(class, Anchor::End, LEFT - 10.0, foot(number), name);
        }
        let width = (WIDTH - LEFT) / self.panels.len() as f64;
        for (number, panel) in self.panels.iter().enumerate() {
            self.draw_panel(&mut svg, panel, LEFT + number as f64 * width, width - GAP - NUMBER, bottom);
        }
        svg.finish(&self.title, &self.description())
    }

    fn draw_panel(&self, svg: &mut Svg, panel: &Panel, left: f64, width: f64, bottom: f64) {
        svg.text("part", Anchor::Start, left, 52.0, &panel.title);
        let scale = Scale::over(panel.kind, panel.values.iter().flatten().copied()).starting_at(panel.from);
        for tick in scale.ticks() {
            let x = left + scale.place(tick) * width;
            svg.line("grid", (x, TOP - 6.0), (x, bottom));
            svg.text("tick", Anchor::Middle, x, bottom + 15.0, &shown_tick(tick));
        }
        for (number, ((_, whose), value)) in self.rows.iter().zip(&panel.values).enumerate() {
            let Some(value) = *value else {
                svg.text("tick", Anchor::Start, left + 4.0, foot(number), "–");
                continue;
            };
            let length = scale.place(value) * width;
            let top = TOP + number as f64 * ROW + (ROW - BAR) / 2.0 - 3.0;
            // A bar without length is seen, too.
            svg.rectangle(whose.class(), left, top, length.max(2.0), BAR);
            let text = format!("{}{}", shown_number(value), panel.unit);
            svg.text("", Anchor::Start, left + length.max(2.0) + 5.0, foot(number), &text);
        }
    }

    /// Everything that the chart shows, in words.
    fn description(&self) -> String {
        let panel = |panel: &Panel| {
            let values = self.rows.iter().zip(&panel.values).map(|((name, _), value)| match value {
                Some(value) => format!("{name} {}{}", shown_number(*value), panel.unit),
                None => format!("{name} nothing"),
            });
            format!("{}: {}.", panel.title, values.collect::<Vec<_>>().join("; "))
        };
        self.panels.iter().map(panel).collect::<Vec<_>>().join(" ")
    }
}

fn foot(row: usize) -> f64 {
    TOP + row as f64 * ROW + ROW / 2.0 + 1.5
}

/// A round number, without digits that say nothing.
pub(crate) fn shown_tick(tick: f64) -> String {
    if tick >= 1_000.0 { shown_number(tick) } else { format!("{}", (tick * 1e6).round() / 1e6) }
}
