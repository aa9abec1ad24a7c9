//! The line of time as a drawing: each thing's life against the outage.

use ::lab::outage::timeline::{Span, Timeline};
use types::Timestamp;

use super::duration::{Span as Length, moment};
use super::page::{add, escaped};

const WIDTH: i64 = 1120;
const LEFT: i64 = 250;
/// Room for the last words of a bar that ends at the edge.
const RIGHT: i64 = 1100;
const TOP: i64 = 64;
const ROW: i64 = 58;
const BAR: i64 = 18;

/// From moments to places.
struct Scale {
    from: Timestamp,
    seconds: i64,
}

impl Scale {
    fn of(line: &Timeline) -> Self {
        let outage_s = line.back.seconds_since(line.signed_in);
        Self {
            from: line.signed_in,
            // A quarter more than the outage, so that one sees what comes after it.
            seconds: (outage_s + outage_s / 4).max(3600),
        }
    }

    fn x(&self, at: Timestamp) -> i64 {
        let since = at.seconds_since(self.from).clamp(0, self.seconds);
        LEFT + since * (RIGHT - LEFT) / self.seconds
    }

    fn is_beyond(&self, at: Timestamp) -> bool {
        at.seconds_since(self.from) > self.seconds
    }

    /// Marks that a person would choose: minutes, hours or days, at most nine of them.
    fn ticks(&self) -> Vec<(Timestamp, String)> {
        const STEPS_S: [i64; 12] = [
            600, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 345_600, 864_000,
            2_592_000,
        ];
        let step = STEPS_S.into_iter().find(|step| self.seconds / step <= 9);
        let step = step.unwrap_or(5_184_000);
        // Midnights, and what divides them, are round.
        let first = self.from.unix_seconds().div_euclid(step) * step + step;
        let ticks = (0..).map(|number| Timestamp::from_unix_seconds(first + number * step));
        ticks
            .take_while(|at| !self.is_beyond(*at))
            .map(|at| {
                let text = moment(at);
                let text = match step % 86_400 {
                    0 => text.trim_end_matches(" 00:00").to_owned(),
                    _ => text.split(' ').next_back().unwrap_or_default().to_owned(),
                };
                (at, text)
            })
            .collect()
    }
}

/// The drawing.
pub(super) fn drawing(line: &Timeline) -> String {
    let scale = Scale::of(line);
    let rows = i64::try_from(line.spans.len()).unwrap_or_default();
    let bottom = TOP + rows * ROW;
    let height = bottom + 34;
    let mut text = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Lifetimes against an outage of the cloud\">\n"
    );
    axis(&mut text, &scale, bottom);
    band(&mut text, &scale, line, bottom);
    for (row, span) in (0..).zip(&line.spans) {
        life(&mut text, &scale, line, span, TOP + row * ROW);
    }
    text + "</svg>\n"
}

fn axis(text: &mut String, scale: &Scale, bottom: i64) {
    for (at, word) in scale.ticks() {
        let x = scale.x(at);
        add(
            text,
            format_args!(
                "<line class=\"tick\" x1=\"{x}\" x2=\"{x}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
                 <text class=\"soft\" x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{word}</text>\n",
                bottom + 20
            ),
        );
    }
}

fn band(text: &mut String, scale: &Scale, line: &Timeline, bottom: i64) {
    let (from, to) = (scale.x(line.outage), scale.x(line.back));
    let (top, middle) = (TOP - 22, i64::midpoint(from, to));
    add(
        text,
        format_args!(
            "<rect class=\"band\" x=\"{from}\" y=\"{top}\" width=\"{}\" height=\"{}\" rx=\"6\"/>\
             <line class=\"edge\" x1=\"{from}\" x2=\"{from}\" y1=\"{top}\" y2=\"{bottom}\"/>\
             <line class=\"edge\" x1=\"{to}\" x2=\"{to}\" y1=\"{top}\" y2=\"{bottom}\"/>\
             <text class=\"away\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">the cloud is away for {}</text>\
             <text class=\"soft\" x=\"{}\" y=\"{}\">back</text>\n",
            to - from,
            bottom - top,
            top - 8,
            Length(line.back.seconds_since(line.outage)),
            to + 6,
            top + 14,
        ),
    );
}

fn life(text: &mut String, scale: &Scale, line: &Timeline, span: &Span, top: i64) {
    let bar = top + 18;
    let (from, middle) = (scale.x(line.signed_in), bar + BAR / 2);
    let end = span.until.unwrap_or(Timestamp::from_ticks(i64::MAX));
    let to = scale.x(end);
    add(
        text,
        format_args!(
            "<text class=\"name\" x=\"0\" y=\"{}\">{}</text><text class=\"soft\" x=\"0\" y=\"{}\">{}</text>\
             <rect class=\"life\" x=\"{from}\" y=\"{bar}\" width=\"{}\" height=\"{BAR}\" rx=\"4\"/>\n",
            bar + 6,
            escaped(span.title),
            bar + 22,
            escaped(&short(span.good_for)),
            (to - from).max(3),
        ),
    );
    for renewal in &span.renewals {
        let x = scale.x(*renewal);
        add(
            text,
            format_args!("<circle class=\"dot\" cx=\"{x}\" cy=\"{middle}\" r=\"2.4\"/>\n"),
        );
    }
    let ends = match span.until {
        Some(until) => format!("until {}", moment(until)),
        None => "as long as the session".to_owned(),
    };
    if !span.outlives(line.back) {
        let back = scale.x(line.back);
        add(
            text,
            format_args!(
                "<line class=\"dead\" x1=\"{}\" x2=\"{back}\" y1=\"{middle}\" y2=\"{middle}\"/>\n",
                to + 6
            ),
        );
    }
    let class = if span.outlives(line.back) {
        "ends"
    } else {
        "ends gone"
    };
    // Words stand above the bar's end, on the side where there is room.
    let (x, anchor) = match to > i64::midpoint(LEFT, RIGHT) {
        true => (to, "end"),
        false => (to.max(from), "start"),
    };
    let arrow = if scale.is_beyond(end) { " →" } else { "" };
    add(
        text,
        format_args!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{}\" text-anchor=\"{anchor}\">{ends}{arrow}</text>\n",
            bar - 5
        ),
    );
}

/// What stands before the first comma or semicolon: the margin is narrow.
fn short(good_for: &str) -> String {
    let end = good_for.find([',', ';']).unwrap_or(good_for.len());
    good_for.get(..end).unwrap_or_default().to_owned()
}
