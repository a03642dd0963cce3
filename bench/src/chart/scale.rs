//! An axis: which value is where, and which of them are written down.

/// From which value to which, and how they lie between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    kind: Kind,
    from: f64,
    to: f64,
}

/// How values lie on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Equal differences are equally far apart; it begins with 0.
    Linear,
    /// Equal ratios are.
    Logarithmic,
}

/// Ticks on an axis at most.
const TICKS_MAX: usize = 6;

impl Scale {
    /// One on which all of these values are; those that are no numbers, or not positive, do not count.
    pub(crate) fn over(kind: Kind, values: impl Iterator<Item = f64>) -> Self {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| *value > 0.0) {
            (least, most) = (least.min(value), most.max(value));
        }
        if most == 0.0 {
            (least, most) = (1.0, 1.0);
        }
        let from = if kind == Kind::Linear { 0.0 } else { least };
        Self { kind, from, to: if most > from { most } else { from * 2.0 } }
    }

    /// The same with another beginning, if that is before all values.
    #[must_use]
    pub(crate) fn starting_at(self, from: f64) -> Self {
        Self { from: self.from.min(from), ..self }
    }

    /// Where a value is, from 0 to 1.
    pub(crate) fn place(self, value: f64) -> f64 {
        let place = match self.kind {
            Kind::Linear => (value - self.from) / (self.to - self.from),
            Kind::Logarithmic => (value / self.from).ln() / (self.to / self.from).ln(),
        };
        place.clamp(0.0, 1.0)
    }

    /// Round values to be written down: 1, 2 and 5 of each power of ten, or only the powers.
    pub(crate) fn ticks(self) -> Vec<f64> {
        match self.kind {
            Kind::Linear => {
                let steps = round_values(&[1.0, 2.0, 5.0]);
                let step = steps.into_iter().find(|step| self.to / step <= TICKS_MAX as f64 - 1.0);
                let step = step.unwrap_or(self.to);
                (0..TICKS_MAX).map(|number| number as f64 * step).filter(|tick| *tick <= self.to).collect()
            }
            Kind::Logarithmic => {
                let within = |digits| -> Vec<f64> {
                    let is_within = |tick: &f64| *tick >= self.from * 0.999 && *tick <= self.to * 1.001;
                    round_values(digits).into_iter().filter(is_within).collect()
                };
                let ticks = within(&[1.0, 2.0, 5.0]);
                if ticks.len() <= TICKS_MAX { ticks } else { within(&[1.0]) }
            }
        }
    }
}

/// These digits of every power of ten that somebody could measure.
fn round_values(digits: &[f64]) -> Vec<f64> {
    (-6..9).flat_map(|power| digits.iter().map(move |digit| digit * 10_f64.powi(power))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let linear = Scale::over(Kind::Linear, [3.0, 27.0].into_iter());
        assert_eq!(linear.ticks(), [0.0, 10.0, 20.0]);
        let short = Scale::over(Kind::Logarithmic, [10.0, 500.0].into_iter());
        assert_eq!(short.ticks(), [10.0, 20.0, 50.0, 100.0, 200.0, 500.0]);
        let long = Scale::over(Kind::Logarithmic, [1.5, 2_000.0].into_iter()).starting_at(1.0);
        assert_eq!(long.ticks(), [1.0, 10.0, 100.0, 1_000.0]);
    }

    #[test]
    fn values_are_between_the_ends() {
        let scale = Scale::over(Kind::Logarithmic, [1.0, f64::NAN, 100.0].into_iter());
        assert_eq!([0.5, 1.0, 10.0, 100.0].map(|value| scale.place(value)), [0.0, 0.0, 0.5, 1.0]);
        let alone = Scale::over(Kind::Linear, [f64::NAN].into_iter());
        assert_eq!(alone.place(0.0), 0.0);
    }
}
