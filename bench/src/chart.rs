//! Charts as SVG, made of lines, rectangles and text that stays text, so that a chart can be read by
//! people in a light and in a dark page, by programs that read aloud, and in a diff.

pub(crate) mod bars;
pub(crate) mod lines;
pub(crate) mod scale;
pub(crate) mod svg;

/// Whose figures they are, which decides how they are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Crosstalk's.
    Ours,
    /// Another server's.
    Theirs,
    /// Nobody's: what the kernel costs.
    Limit,
}

impl Whose {
    fn class(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Theirs => "theirs",
            Self::Limit => "limit",
        }
    }
}
