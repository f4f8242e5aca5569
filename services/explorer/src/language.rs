//! The two languages of the pages; both texts stand where they are used, so that none can be missing.

use std::fmt::{self, Display, Formatter};

use contracts::message::{Source, Verdict};
use serde::{Deserialize, Serialize};

/// What a page is written in; the first part of its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[serde(rename = "en")]
    English,
    /// Spanish.
    #[serde(rename = "es")]
    Spanish,
}

impl Language {
    /// Both.
    pub const ALL: [Self; 2] = [Self::English, Self::Spanish];

    /// The one that a browser prefers (RFC 9110, 12.5.4, without weights: browsers send the preferred one first).
    pub fn preferred(accept_language: &str) -> Self {
        let tags = accept_language
            .split(',')
            .map(|tag| tag.trim().get(..2).unwrap_or_default());
        tags.filter_map(Self::of).next().unwrap_or(Self::English)
    }

    /// The language of a code, such as `es`.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|language| language.code().eq_ignore_ascii_case(code))
    }

    /// Its code.
    pub fn code(self) -> &'static str {
        self.say("en", "es")
    }

    /// Its name for itself.
    pub fn name(self) -> &'static str {
        self.say("English", "Español")
    }

    /// One of two texts.
    pub fn say<T>(self, english: T, spanish: T) -> T {
        match self {
            Self::English => english,
            Self::Spanish => spanish,
        }
    }

    /// The address of a page in this language, such as `/es/questions`.
    pub fn link(self, path: impl Display) -> String {
        format!("/{}{path}", self.code())
    }

    /// A whole number, with its thousands apart.
    pub fn whole(self, number: impl Into<i64>) -> String {
        let number: i64 = number.into();
        let digits = number.unsigned_abs().to_string();
        let mut grouped = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                grouped.push_str(self.say(",", "\u{202f}"));
            }
            grouped.push(digit);
        }
        if number < 0 { format!("−{grouped}") } else { grouped }
    }

    /// How many there are.
    pub fn count(self, number: u64) -> String {
        self.whole(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// A number with so many decimals.
    pub fn decimal(self, number: f64, decimals: usize) -> String {
        let text = format!("{number:.decimals$}").replace('-', "−");
        text.replace('.', self.say(".", ","))
    }

    /// A share as per cent, with one decimal.
    pub fn percent(self, share: f64) -> String {
        format!("{}\u{a0}%", self.decimal(100.0 * share, 1))
    }

    /// Billionths of a US dollar, in US dollars.
    pub fn dollars(self, nanodollars: u64) -> String {
        self.decimal(nanodollars as f64 / 1e9, 6)
    }

    /// A verdict.
    pub fn verdict(self, verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Accepted => self.say("Accepted", "Aceptada"),
            Verdict::Exhausted => self.say("Not accepted", "No aceptada"),
            Verdict::Error => self.say("No answer", "Sin respuesta"),
        }
    }

    /// Who answered.
    pub fn source(self, source: Source) -> &'static str {
        match source {
            Source::Llm => self.say("Model", "Modelo"),
            Source::Cache => self.say("Cache", "Caché"),
            Source::Mongodb => self.say("Stored", "Guardada"),
            Source::Coalesced => self.say("Twin", "Gemela"),
        }
    }
}

impl Display for Language {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_first_that_is_known() {
        let preferred = ["", "de", "de-CH,es;q=0.8,en;q=0.7", "en-GB", "ES"].map(Language::preferred);
        use Language::{English, Spanish};
        assert_eq!(preferred, [English, English, Spanish, English, Spanish]);
    }

    #[test]
    fn numbers_are_written_as_in_the_language() {
        let (en, es) = (Language::English, Language::Spanish);
        assert_eq!(
            [en.whole(999), en.whole(1_234_567), en.whole(-1000)],
            ["999", "1,234,567", "−1,000"]
        );
        assert_eq!(es.whole(12_345), "12\u{202f}345");
        assert_eq!([en.decimal(0.125, 2), es.decimal(-0.5, 1)], ["0.12", "−0,5"]);
    }
}
