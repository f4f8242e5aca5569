//! The last hour as lines.

use jiff::Timestamp;
use maud::{Markup, html};

use super::words::{clock, milliseconds, rate};
use crate::chart::{Line, Scale};
use crate::language::Language;
use crate::sampler::{History, Point};

const HOUR_S: f64 = 3600.0;

/// A line: its name, its color, how it grows, what it shows, and how that is said.
struct Drawn {
    name: &'static str,
    color: &'static str,
    scale: Scale,
    value: fn(&Point) -> Option<f64>,
    say: fn(Language, f64) -> String,
}

/// Decided a second, waiting, and the slowest of a hundred.
pub fn charts(history: &History, now: Timestamp, l: Language) -> Markup {
    let lines = [
        Drawn {
            name: l.say("Decided/s", "Decididas/s"),
            color: "first",
            scale: Scale::Linear,
            value: |point| point.per_second,
            say: rate,
        },
        Drawn {
            name: l.say("Waiting", "En espera"),
            color: "second",
            scale: Scale::Linear,
            value: |point| point.waiting,
            say: |l, waiting| l.count(waiting as u64),
        },
        Drawn {
            name: l.say("Latency p99 (log)", "Latencia p99 (log)"),
            color: "fourth",
            scale: Scale::Log,
            value: |point| point.p99,
            say: |l, p99| milliseconds(l, p99 as i64),
        },
    ];
    html! { div class="charts" { @for line in lines { (line.draw(history, now, l)) } } }
}

impl Drawn {
    fn draw(&self, history: &History, now: Timestamp, l: Language) -> Markup {
        let points: Vec<_> = history
            .points()
            .map(|point| (point.at.as_second() as f64, (self.value)(point)))
            .collect();
        let ago = |minutes: i32| (60.0 * f64::from(minutes), format!("−{minutes} min"));
        let marks = [ago(60), ago(40), ago(20), (0.0, l.say("now", "ahora").to_owned())];
        let line = Line {
            name: self.name,
            finding: &self.finding(history, l),
            color: self.color,
            scale: self.scale,
            back: HOUR_S,
            marks: &marks,
            number: if self.scale == Scale::Log { short_time } else { short },
            points: &points,
            now: now.as_second() as f64,
        };
        line.draw()
    }

    /// The newest number, and the highest with its time.
    fn finding(&self, history: &History, l: Language) -> String {
        let known = || {
            history
                .points()
                .filter_map(|point| Some((point.at, (self.value)(point)?)))
        };
        let Some((at, most)) = known().reduce(|one, other| if other.1 > one.1 { other } else { one }) else {
            return l.say("no figures yet", "aún sin cifras").into();
        };
        if most == 0.0 {
            return l.say("none lately", "ninguna últimamente").into();
        }
        let newest = history
            .points()
            .last()
            .and_then(self.value)
            .map_or("–".into(), |newest| (self.say)(l, newest));
        let (most, at) = ((self.say)(l, most), clock(at));
        l.say(
            format!("{newest} now; at most {most}, at {at}"),
            format!("{newest} ahora; como mucho {most}, a las {at}"),
        )
    }
}

/// A mark of an axis, in few letters and alike in both languages: `250`, `1k`.
fn short(number: f64) -> String {
    match number {
        1_000_000.0.. => format!("{}M", number / 1e6),
        1000.0.. => format!("{}k", number / 1000.0),
        _ => number.to_string(),
    }
}

/// The same of milliseconds: `10 ms`, `1 s`.
fn short_time(milliseconds: f64) -> String {
    if milliseconds < 1000.0 {
        format!("{milliseconds} ms")
    } else {
        format!("{} s", short(milliseconds / 1000.0))
    }
}
