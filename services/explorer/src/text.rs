//! Texts of others, made fit to be shown and to stand in an address.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

const PLAIN_IN_ADDRESSES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text with a token such as ⟨U+202E⟩ in place of what steers or hides others: controls, formats (bidi, zero width),
/// separators. Line breaks and tabs stay. `make explain` does the same (`calibration/texts.py`).
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '\r' && letters.peek() == Some(&'\n') {
            continue;
        }
        if is_plain(letter) {
            shown.push(letter);
        } else {
            shown.push_str(&format!("⟨U+{:04X}⟩", u32::from(letter)));
        }
    }
    shown
}

fn is_plain(letter: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
    let hides = [Control, Format, LineSeparator, ParagraphSeparator].contains(&letter.general_category());
    matches!(letter, '\n' | '\t') || !hides
}

/// A text as a part of an address.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN_IN_ADDRESSES).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_or_hides_text_is_seen() {
        assert_eq!(
            visible("a\u{202e}b\u{200b}\u{7}\u{2028}"),
            "a⟨U+202E⟩b⟨U+200B⟩⟨U+0007⟩⟨U+2028⟩"
        );
        assert_eq!(visible("¿Qué?\r\n\tشمس 太阳 🌞"), "¿Qué?\n\tشمس 太阳 🌞");
    }

    #[test]
    fn any_id_can_be_a_part_of_an_address() {
        assert_eq!(encoded("a/b?c=d&é"), "a%2Fb%3Fc%3Dd%26%C3%A9");
    }
}
