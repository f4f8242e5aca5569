//! Moments, with their zone and their age.

use contracts::value::now;
use jiff::Timestamp;
use maud::{Markup, html};

use crate::language::Language;

/// A moment, in milliseconds since 1970, with its zone and its age.
pub fn moment(l: Language, milliseconds: i64) -> Markup {
    let Ok(at) = Timestamp::from_millisecond(milliseconds) else {
        return html! { "–" };
    };
    html! {
        time datetime=(at) { (at.strftime("%Y-%m-%d %H:%M:%S")) " UTC" }
        " " span.quiet { "(" (age(l, now().as_millisecond() - milliseconds)) ")" }
    }
}

fn age(l: Language, milliseconds: i64) -> String {
    let minutes = milliseconds / 60_000;
    let (number, unit) = match minutes {
        ..1 => return l.say("just now", "ahora mismo").into(),
        1..60 => (minutes, "min"),
        60..2880 => (minutes / 60, "h"),
        _ => (minutes / 1440, l.say("days", "días")),
    };
    l.say(format!("{number} {unit} ago"), format!("hace {number} {unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_the_largest_unit_that_says_enough() {
        let ages = [0, 59_999, 60_000, 3_600_000, 172_800_000].map(|age_ms| age(Language::Spanish, age_ms));
        assert_eq!(
            ages,
            ["ahora mismo", "ahora mismo", "hace 1 min", "hace 1 h", "hace 2 días"]
        );
    }
}
