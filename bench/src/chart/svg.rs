//! A drawing in the making. What it shows is also told in words, as its title and description.

use std::fmt::Write;

/// Where a text is, from the point at which it is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// It begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

/// A drawing.
#[derive(Debug)]
pub(crate) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// Colours for both kinds of pages, with a ground of their own: whoever shows the drawing may have chosen
/// another kind than the system has. A text keeps lines behind it away from its letters.
const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328; stroke: #fff; stroke-width: 3px; paint-order: stroke }
.head { font-weight: 600; font-size: 15px }
.part, .own { font-weight: 600 }
.tick { font-size: 11px; fill: #59636e }
.ground { fill: #fff }
.grid { stroke: #d1d9e0 }
.ours { fill: #0969da; stroke: #0969da }
.theirs { fill: #818b98; stroke: #818b98 }
.limit { fill: #1f2328; stroke: #1f2328 }
.curve { fill: none; stroke-width: 2 }
.curve.limit { stroke-dasharray: 6 4 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc; stroke: #0d1117 }
.tick { fill: #9198a1 }
.ground { fill: #0d1117 }
.grid { stroke: #3d444d }
.ours { fill: #4493f8; stroke: #4493f8 }
.theirs { fill: #656c76; stroke: #656c76 }
.limit { fill: #f0f6fc; stroke: #f0f6fc }
.curve { fill: none }
}
";

impl Svg {
    /// An empty drawing of so many pixels.
    pub(crate) fn new(width: f64, height: f64) -> Self {
        let mut svg = Self { width, height, body: String::new() };
        svg.rectangle("ground", 0.0, 0.0, width, height);
        svg
    }

    /// Puts a text with its foot at `y`.
    pub(crate) fn text(&mut self, class: &str, anchor: Anchor, x: f64, y: f64, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        self.element(format_args!(
            r#"<text class="{class}" text-anchor="{anchor}" x="{x:.1}" y="{y:.1}">{text}</text>"#
        ));
    }

    /// Puts a filled rectangle.
    pub(crate) fn rectangle(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64) {
        self.element(format_args!(
            r#"<rect class="{class}" stroke="none" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/>"#
        ));
    }

    /// Puts a straight line.
    pub(crate) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.element(format_args!(
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        ));
    }

    /// Puts a line through all points, and a dot on each.
    pub(crate) fn curve(&mut self, class: &str, points: &[(f64, f64)]) {
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let path = path.join(" ");
        self.element(format_args!(r#"<polyline class="curve {class}" points="{path}"/>"#));
        for (x, y) in points {
            self.element(format_args!(r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="3"/>"#));
        }
    }

    /// The whole file.
    pub(crate) fn finish(self, title: &str, description: &str) -> String {
        let Self { width, height, body } = self;
        let (title, description) = (escaped(title), escaped(description));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\" aria-labelledby=\"title description\">\n\
             <title id=\"title\">{title}</title>\n<desc id=\"description\">{description}</desc>\n\
             <style>\n{STYLE}</style>\n{body}</svg>\n"
        )
    }

    fn element(&mut self, element: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.body, "{element}");
    }
}

/// A text as it may stand in an element or an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML has no way to write most of them.
            char if char.is_control() => escaped.push(' '),
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_whatever_is_in_it() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.text("tick", Anchor::End, 1.0, 2.0, "p99 < 5 ms & \"so\"\u{0} on");
        let file = svg.finish("a <b> & c", "d > e");
        assert!(file.contains(r#"y="2.0">p99 &lt; 5 ms &amp; &quot;so&quot;  on</text>"#), "{file}");
        assert!(file.contains("<title id=\"title\">a &lt;b&gt; &amp; c</title>"), "{file}");
        assert!(file.contains("<desc id=\"description\">d &gt; e</desc>"), "{file}");
    }
}
