//! Times and durations in words.

use jiff::Timestamp;

use crate::language::Language;

const UNITS: [(f64, &str, &str); 3] = [(86_400.0, "days", "días"), (3600.0, "h", "h"), (60.0, "min", "min")];

/// How long something takes: `0.2 s`, `12 s`, `3 min`.
pub fn span(l: Language, seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    let unit = UNITS.into_iter().find(|(length, ..)| seconds >= 2.0 * length);
    match unit {
        Some((length, english, spanish)) => {
            format!("{}\u{a0}{}", l.decimal(seconds / length, 0), l.say(english, spanish))
        }
        None => format!("{}\u{a0}s", l.decimal(seconds, usize::from(seconds < 9.95))),
    }
}

/// How long ago something was, in whole seconds at the least.
pub fn age(l: Language, at: Timestamp, now: Timestamp) -> String {
    let seconds = seconds_between(at, now).max(0.0);
    if seconds < 9.95 {
        return format!("{seconds:.0}\u{a0}s");
    }
    span(l, seconds)
}

/// How many milliseconds, from a second on in seconds.
pub fn milliseconds(l: Language, milliseconds: i64) -> String {
    if milliseconds < 1000 {
        return format!("{milliseconds}\u{a0}ms");
    }
    span(l, milliseconds as f64 / 1000.0)
}

/// A time of today: `12:04:31 UTC`.
pub fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S UTC").to_string()
}

/// Since when, and how long that is: `since 12:04:31 UTC (4 min)`.
pub fn since(l: Language, at: Timestamp, now: Timestamp) -> String {
    let length = age(l, at, now);
    format!("{} {} ({length})", l.say("since", "desde las"), clock(at))
}

/// How many seconds after the first the second is.
pub fn seconds_between(first: Timestamp, second: Timestamp) -> f64 {
    (second.as_millisecond() - first.as_millisecond()) as f64 / 1000.0
}

/// How many of something: one, or several.
pub fn several(l: Language, count: impl Into<i64>, one: &str, more: &str) -> String {
    let count = count.into();
    format!("{} {}", l.whole(count), if count == 1 { one } else { more })
}

/// A rate: with a decimal where it is small.
pub fn rate(l: Language, per_second: f64) -> String {
    if per_second < 9.95 {
        l.decimal(per_second, 1)
    } else {
        l.count(per_second.round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_unit_that_tells_most() {
        let [en, es] = Language::ALL;
        let spans =
            [0.25, 9.94, 12.4, 119.0, 130.0, 7200.0, 200_000.0].map(|seconds| span(en, seconds).replace('\u{a0}', " "));
        assert_eq!(spans, ["0.2 s", "9.9 s", "12 s", "119 s", "2 min", "2 h", "2 days"]);
        assert_eq!(span(es, 0.5), "0,5\u{a0}s");
        assert_eq!(
            [milliseconds(en, 82), milliseconds(es, 1500)],
            ["82\u{a0}ms", "1,5\u{a0}s"]
        );
    }

    #[test]
    fn a_time_has_its_zone_and_its_age() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let [en, es] = Language::ALL;
        assert_eq!(since(en, at(43_471), at(43_711)), "since 12:04:31 UTC (4\u{a0}min)");
        assert_eq!(since(es, at(43_471), at(43_476)), "desde las 12:04:31 UTC (5\u{a0}s)");
    }

    #[test]
    fn small_rates_have_a_decimal() {
        let [en, es] = Language::ALL;
        assert_eq!(
            [rate(en, 0.0), rate(es, 0.25), rate(en, 1412.4)],
            ["0.0", "0,2", "1,412"]
        );
    }
}
