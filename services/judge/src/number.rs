//! Numbers, however they are written: 1,000 and thousand, 6th and VI, twenty-one and 21.

use crate::lexicon::NumberWord;

/// Puts the words of one number together: "two hundred (and) five", "5 million".
#[derive(Debug, Default, Clone, Copy)]
pub struct Sum {
    total: u64,
    group: u64,
    last: Option<u64>,
}

impl Sum {
    /// Takes one more word, or says that it belongs to another number.
    pub fn take(&mut self, word: NumberWord) -> bool {
        let next = match (word, self.last) {
            (NumberWord::Value(value), None) => Some((self.total, value, value)),
            // Twenty one, hundred five; but "one two" are two numbers.
            (NumberWord::Value(value), Some(last))
                if value > 0 && digits(last) > digits(value) && last % pow10(digits(value)) == 0 =>
            {
                self.group.checked_add(value).map(|group| (self.total, group, value))
            }
            (NumberWord::Value(_), Some(_)) => None,
            (NumberWord::Scale(100), _) => self.group.max(1).checked_mul(100).map(|group| (self.total, group, 100)),
            (NumberWord::Scale(scale), _) => (self.group.max(1).checked_mul(scale))
                .and_then(|group| self.total.checked_add(group))
                .map(|total| (total, 0, scale)),
        };
        if let Some((total, group, last)) = next {
            (self.total, self.group, self.last) = (total, group, Some(last));
        }
        next.is_some()
    }

    /// The number so far.
    pub fn value(&self) -> u64 {
        self.total.saturating_add(self.group)
    }
}

fn digits(value: u64) -> u32 {
    value.checked_ilog10().map_or(1, |digits| digits + 1)
}

fn pow10(exponent: u32) -> u64 {
    10_u64.saturating_pow(exponent)
}

/// The value of a Roman numeral up to 89 that is written as one writes them.
pub fn roman(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > 8 {
        return None;
    }
    let value = |letter: u8| match letter.to_ascii_uppercase() {
        b'I' => Some(1),
        b'V' => Some(5),
        b'X' => Some(10),
        b'L' => Some(50),
        _ => None,
    };
    let values = text.bytes().map(value).collect::<Option<Vec<i64>>>()?;
    let signed = |(index, value): (usize, &i64)| {
        if values.get(index + 1) > Some(value) {
            -value
        } else {
            *value
        }
    };
    let total = u64::try_from(values.iter().enumerate().map(signed).sum::<i64>()).ok()?;
    text.eq_ignore_ascii_case(&write_roman(total)).then_some(total)
}

fn write_roman(mut value: u64) -> String {
    let mut text = String::new();
    for (worth, letters) in [
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ] {
        while value >= worth {
            text.push_str(letters);
            value -= worth;
        }
    }
    text
}

/// The digits at the start of a text, without separators of thousands, and how many bytes they take.
///
/// A comma, point or fixed space before exactly three digits separates thousands if it is no point, repeats, or those
/// are zeros; any other comma or point before one digit or more is a decimal sign.
pub fn leading_digits(text: &str, digits: &mut String) -> usize {
    let bytes = text.as_bytes();
    let run = |from: usize| {
        bytes
            .get(from..)
            .map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count())
    };
    let start = digits.len();
    let mut end = run(0);
    digits.push_str(&text[..end]);
    let (first, mut separated, mut decimal) = (end, false, false);
    while let Some(sign) = text[end..].chars().next().filter(|sign| separates(*sign)) {
        let group_start = end + sign.len_utf8();
        let group_end = group_start + run(group_start);
        let group = &text[group_start..group_end];
        if group.is_empty() || decimal {
            break;
        }
        let repeats = text[group_end..].starts_with(sign) && run(group_end + sign.len_utf8()) == 3;
        separated = group.len() == 3 && first <= 3 && (separated || sign != '.' || repeats || group == "000");
        if !separated && is_fixed_space(sign) {
            break;
        }
        if !separated {
            decimal = true;
            digits.push('.');
        }
        digits.push_str(group);
        end = group_end;
    }
    normalise(digits, start);
    end
}

fn separates(sign: char) -> bool {
    matches!(sign, ',' | '.') || is_fixed_space(sign)
}

/// A space at which no line breaks: French and Spanish part thousands by it.
pub fn is_fixed_space(letter: char) -> bool {
    matches!(letter, '\u{a0}' | '\u{202f}')
}

/// No leading zeros, no trailing ones behind a decimal sign: 007 is 7 and 3.50 is 3.5.
fn normalise(digits: &mut String, start: usize) {
    let leading = digits[start..].bytes().take_while(|byte| *byte == b'0').count();
    let whole = digits[start..].find('.').unwrap_or(digits.len() - start);
    digits.replace_range(start..start + leading.min(whole.saturating_sub(1)), "");
    if digits[start..].contains('.') {
        let kept = digits[start..].trim_end_matches('0').trim_end_matches('.').len();
        digits.truncate(start + kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_has_one_spelling() {
        for (text, expected, taken) in [
            ("1,000,000 people", "1000000", 9),
            ("1.000.000", "1000000", 9),
            ("1.000", "1000", 5),
            ("3.50", "3.5", 4),
            ("3,5 km", "3.5", 3),
            ("007", "7", 3),
            ("0", "0", 1),
            ("1999.", "1999", 4),
            ("10,", "10", 2),
            ("1\u{202f}000\u{a0}000 people", "1000000", 12),
            ("5\u{a0}km", "5", 1),
            ("1990\u{a0}300", "1990", 4),
            ("3\u{a0}12", "3", 1),
        ] {
            let mut digits = String::from("x");
            assert_eq!(
                (leading_digits(text, &mut digits), &digits[1..]),
                (taken, expected),
                "{text}"
            );
        }
    }

    #[test]
    fn roman_numerals_are_read_only_in_their_one_form() {
        assert_eq!(
            ["VI", "XIV", "viii", "L"].map(roman),
            [Some(6), Some(14), Some(8), Some(50)]
        );
        assert_eq!(["IIX", "VV", "IC", "", "mix"].map(roman), [None; 5]);
    }

    #[test]
    fn number_words_add_up() {
        use NumberWord::{Scale, Value};
        let sum = |words: &[NumberWord]| {
            let mut sum = Sum::default();
            words.iter().all(|word| sum.take(*word)).then(|| sum.value())
        };
        assert_eq!(sum(&[Value(20), Value(1)]), Some(21));
        assert_eq!(sum(&[Value(2), Scale(100), Value(5)]), Some(205));
        assert_eq!(
            sum(&[Scale(1000), Value(9), Scale(100), Value(80), Value(4)]),
            Some(1984)
        );
        assert_eq!(sum(&[Value(1), Value(2)]), None);
    }
}
