//! US dollars as whole numbers, so that sums are exact.

/// Billionths of a dollar in a dollar.
const NANODOLLARS: u64 = 1_000_000_000;
/// Digits after the point of an amount of dollars, if they are nanodollars.
const NANODOLLAR_DIGITS: usize = 9;

/// An amount of dollars, such as `5` or `0.25`, in nanodollars.
///
/// # Errors
/// What is allowed, where it is none, or finer than nanodollars.
pub fn parse_dollars(text: &str) -> Result<u64, String> {
    decimal(text, NANODOLLAR_DIGITS)
        .filter(|&nanodollars| nanodollars <= contracts::value::MAX_WHOLE)
        .ok_or_else(|| "an amount of dollars is allowed, such as 5 or 0.25, up to 9000000".into())
}

/// Nanodollars in the usual form: `$5`, `$0.25`, `$0.000042`.
#[must_use]
pub fn dollars(nanodollars: u64) -> String {
    let (whole, rest) = (nanodollars / NANODOLLARS, nanodollars % NANODOLLARS);
    let digits = format!("{rest:09}");
    match digits.trim_end_matches('0') {
        "" => format!("${whole}"),
        digits => format!("${whole}.{digits:0<2}"),
    }
}

/// A number such as `12.5` in units of its digit `places` after the point; `None` if it is none, or finer than that.
pub(crate) fn decimal(text: &str, places: usize) -> Option<u64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(rest) {
        return None;
    }
    let rest = rest.trim_end_matches('0');
    if rest.len() > places {
        return None;
    }
    format!("{whole}{rest:0<places$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dollars_are_read_without_rounding() {
        for (text, nanodollars) in [
            ("5", 5_000_000_000),
            ("0.25", 250_000_000),
            ("0.1", 100_000_000),
            ("0.000000001", 1),
            ("0.0000000010", 1),
            ("0", 0),
        ] {
            assert_eq!(parse_dollars(text), Ok(nanodollars), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_of_dollars_is_refused() {
        for text in [
            "",
            ".",
            "5.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "NaN",
            "inf",
            "$5",
            "0.0000000001",
            "9999999999",
        ] {
            assert!(parse_dollars(text).is_err(), "{text}");
        }
    }

    #[test]
    fn dollars_are_written_as_people_write_them() {
        let written = [0, 5_000_000_000, 4_980_000_000, 500_000_000, 42_000, 1].map(dollars);
        assert_eq!(written, ["$0", "$5", "$4.98", "$0.50", "$0.000042", "$0.000000001"]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(nanodollars in 0..=contracts::value::MAX_WHOLE) {
            prop_assert_eq!(parse_dollars(&dollars(nanodollars)[1..]), Ok(nanodollars));
        }
    }
}
