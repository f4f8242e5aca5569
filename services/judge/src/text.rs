//! A text as words: folded, stemmed, numbers in one spelling, and what each word is.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::lexicon::{Entry, NumberWord};
use crate::number::{self, Sum};
use crate::reader::Reader;
use crate::stemming::stem_into;

/// Longer words are not stemmed: they are none of a language.
const LONGEST_STEMMED: usize = 40;

/// The language by whose rules words are stemmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// What is not told to be Spanish.
    English,
    /// More of its function words are Spanish than English.
    Spanish,
}

/// One word.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    /// Where it starts in the text, in bytes.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
    pub(crate) stem: (u32, u32),
    /// Which sentence of the text it is in.
    pub sentence: u32,
    /// What the lexicon knows of it.
    pub entry: Entry,
    /// Is a number that counts as one: not the words "one" and "first", and not "second", which may be a time.
    pub number: bool,
    /// Is written like a name: with a capital inside a sentence.
    pub name: bool,
    /// Stands at most six words behind a negation, in the same clause.
    pub negated: bool,
}

/// A text and its words.
#[derive(Debug)]
pub struct Text<'a> {
    /// The text itself.
    pub source: &'a str,
    /// Its words in order.
    pub words: Vec<Word>,
    pub(crate) stems: String,
}

impl<'a> Text<'a> {
    /// Reads the words of a text; they are not stemmed yet.
    pub fn read(source: &'a str) -> Self {
        let reader = Reader::new(source);
        let mut text = reader.read();
        text.join_numbers();
        text.read_roman_numerals();
        text
    }

    /// How many function words are Spanish, less those that are English.
    pub fn spanish(&self) -> i64 {
        self.words
            .iter()
            .map(|word| i64::from(word.entry.spanish) - i64::from(word.entry.english))
            .sum()
    }

    /// The stem of a word.
    pub fn stem(&self, word: &Word) -> &str {
        self.stems
            .get(word.stem.0 as usize..word.stem.1 as usize)
            .unwrap_or_default()
    }

    /// Replaces every content word by its stem, folded.
    pub fn stem_all(&mut self, language: Language) {
        let mut stems = String::with_capacity(self.stems.len());
        for word in &mut self.words {
            let form = &self.stems[word.stem.0 as usize..word.stem.1 as usize];
            let start = stems.len();
            if word.entry.function || word.entry.canonical.is_some() || is_number(form) || form.len() > LONGEST_STEMMED
            {
                stems.push_str(form);
            } else {
                stem_into(form, language, &mut stems);
            }
            word.stem = (index(start), index(stems.len()));
        }
        self.stems = stems;
    }

    /// Makes one word of the words of one number.
    fn join_numbers(&mut self) {
        let mut kept: Vec<Word> = Vec::with_capacity(self.words.len());
        let mut open: Option<Sum> = None;
        for position in 0..self.words.len() {
            let word = self.words[position];
            let part = self.number_word(&word);
            if let (Some(sum), Some(part), Some(last)) = (open.as_mut(), part, kept.last_mut())
                && self.source[last.end as usize..word.start as usize]
                    .chars()
                    .all(|letter| matches!(letter, ' ' | '-') || number::is_fixed_space(letter))
                // Digits go on with a word such as million only: "20-7" is a score, "1990 3" two numbers.
                && (matches!(part, NumberWord::Scale(_)) || word.entry.number.is_some() && last.entry.number.is_some())
                && sum.take(part)
            {
                last.end = word.end;
                last.number = true;
                continue;
            }
            self.close_number(&mut open, &mut kept);
            if let Some(part) = part {
                let mut sum = Sum::default();
                sum.take(part);
                open = Some(sum);
            }
            kept.push(word);
        }
        self.close_number(&mut open, &mut kept);
        self.words = kept;
    }

    fn number_word(&self, word: &Word) -> Option<NumberWord> {
        word.entry.number.or_else(|| {
            let form = self.stem(word);
            (form.len() <= 12 && is_number(form))
                .then(|| form.parse().ok())
                .flatten()
                .map(NumberWord::Value)
        })
    }

    fn close_number(&mut self, open: &mut Option<Sum>, kept: &mut [Word]) {
        if let (Some(sum), Some(last)) = (open.take(), kept.last_mut()) {
            let start = self.stems.len();
            self.stems.push_str(&sum.value().to_string());
            last.stem = (index(start), index(self.stems.len()));
            last.entry.function = false;
            let written = &self.source[last.start as usize..last.end as usize];
            let time = ["second", "segundo"]
                .iter()
                .any(|word| written.eq_ignore_ascii_case(word));
            last.number |= sum.value() != 1 && !time || last.entry.number.is_none();
        }
    }

    /// "George VI" and "henry viii" hold numbers.
    fn read_roman_numerals(&mut self) {
        for position in 1..self.words.len() {
            let (before, word) = (self.words[position - 1], self.words[position]);
            let written = &self.source[word.start as usize..word.end as usize];
            let Some(value) = number::roman(written) else { continue };
            let capitals = written.bytes().all(|byte| byte.is_ascii_uppercase());
            let small = matches!(
                written,
                "ii" | "iii" | "iv" | "vii" | "viii" | "ix" | "xi" | "xii" | "xiii" | "xiv"
            );
            if before.sentence == word.sentence && (small || capitals && written != "I" && self.is_capital(&before)) {
                let start = self.stems.len();
                self.stems.push_str(&value.to_string());
                let word = &mut self.words[position];
                word.stem = (index(start), index(self.stems.len()));
                (word.number, word.name) = (true, false);
            }
        }
    }

    fn is_capital(&self, word: &Word) -> bool {
        self.source[word.start as usize..]
            .chars()
            .next()
            .is_some_and(char::is_uppercase)
    }
}

/// The stemmed words of a text and where they stand, in its own language: what frequencies are learned from.
pub fn words(source: &str) -> Vec<(String, Range<usize>)> {
    let mut text = Text::read(source);
    text.stem_all(language(text.spanish()));
    text.words
        .iter()
        .map(|word| (text.stem(word).to_owned(), word.start as usize..word.end as usize))
        .collect()
}

/// Spanish if more function words are Spanish than English.
pub fn language(spanish: i64) -> Language {
    if spanish > 0 {
        Language::Spanish
    } else {
        Language::English
    }
}

fn is_number(form: &str) -> bool {
    form.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
}

/// Positions are 32 bits wide: no text is longer than 4 GiB.
pub(crate) fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// Lower case, no accents.
pub(crate) fn fold_into(text: &str, folded: &mut String) {
    if text.is_ascii() {
        folded.push_str(text);
    } else {
        folded.extend(text.nfd().filter(|letter| !is_combining_mark(*letter)));
    }
}
