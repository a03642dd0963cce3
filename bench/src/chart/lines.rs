//! Curves over something that grows.

use crate::chart::Whose;
use crate::chart::bars::shown_tick;
use crate::chart::scale::{Kind, Scale};
use crate::chart::svg::{Anchor, Svg};
use crate::report::shown_number;

/// A chart.
#[derive(Debug)]
pub(crate) struct Lines {
    /// What it shows.
    pub(crate) title: String,
    /// What grows; on a logarithmic axis.
    pub(crate) across: &'static str,
    /// What was measured.
    pub(crate) up: &'static str,
    /// What is drawn.
    pub(crate) curves: Vec<Curve>,
}

/// One line through points.
#[derive(Debug)]
pub(crate) struct Curve {
    /// What stands beside it.
    pub(crate) name: String,
    /// Whose it is.
    pub(crate) whose: Whose,
    /// Its points, from left to right.
    pub(crate) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 56.0;
/// Room for the names of the curves.
const RIGHT: f64 = 160.0;
const TOP: f64 = 68.0;
const BOTTOM: f64 = 48.0;
/// How close two names may be.
const LINE: f64 = 16.0;

impl Lines {
    /// The chart as a file.
    pub(crate) fn draw(&self) -> String {
        let points = || self.curves.iter().flat_map(|curve| curve.points.iter().copied());
        let across = Scale::over(Kind::Logarithmic, points().map(|(x, _)| x));
        let up = Scale::over(Kind::Linear, points().map(|(_, y)| y));
        let (width, height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
        let place =
            |(x, y): (f64, f64)| (LEFT + across.place(x) * width, HEIGHT - BOTTOM - up.place(y) * height);
        let mut svg = Svg::new(WIDTH, HEIGHT);
        svg.text("head", Anchor::Start, 16.0, 26.0, &self.title);
        svg.text("tick", Anchor::Start, 16.0, 50.0, self.up);
        svg.text("tick", Anchor::Middle, LEFT + width / 2.0, HEIGHT - 12.0, self.across);
        for tick in up.ticks() {
            let (_, y) = place((1.0, tick));
            svg.line("grid", (LEFT, y), (LEFT + width, y));
            svg.text("tick", Anchor::End, LEFT - 6.0, y + 4.0, &shown_tick(tick));
        }
        for tick in self.measured_across() {
            let (x, y) = place((tick, 0.0));
            svg.line("grid", (x, y), (x, y + 5.0));
            svg.text("tick", Anchor::Middle, x, y + 18.0, &shown_tick(tick));
        }
        let mut names = Vec::new();
        for Curve { name, whose, points } in &self.curves {
            let points: Vec<_> = points.iter().map(|point| place(*point)).collect();
            svg.curve(whose.class(), &points);
            names.extend(points.last().map(|(_, y)| (*y, name, *whose)));
        }
        names.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut free = 0.0_f64;
        for (y, name, whose) in names {
            let y = y.max(free);
            free = y + LINE;
            let class = if whose == Whose::Ours { "own" } else { "" };
            svg.text(class, Anchor::Start, LEFT + width + 10.0, y + 4.0, name);
        }
        svg.finish(&self.title, &self.description())
    }

    /// Where on the way across there are points.
    fn measured_across(&self) -> Vec<f64> {
        let mut across: Vec<f64> =
            self.curves.iter().flat_map(|curve| curve.points.iter().map(|(x, _)| *x)).collect();
        across.sort_by(f64::total_cmp);
        across.dedup();
        across
    }

    /// Everything that the chart shows, in words.
    pub(crate) fn description(&self) -> String {
        let curve = |Curve { name, points, .. }: &Curve| {
            let points = points.iter().map(|(x, y)| format!("{} at {}", shown_number(*y), shown_tick(*x)));
            format!("{name}: {}.", points.collect::<Vec<_>>().join(", "))
        };
        let curves: Vec<String> = self.curves.iter().map(curve).collect();
        format!("{} over {}. {}", self.up, self.across, curves.join(" "))
    }
}
