//! A text as words: folded, stemmed, numbers in one spelling, and what each word is.

use std::ops::Range;
use std::sync::LazyLock;

use snowball_stemmers_rs::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::lexicon::{self, Entry, NumberWord};
use crate::number::{self, Sum};

/// How far a negation reaches, in words of its clause.
const NEGATION_REACH: usize = 6;
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
    stem: (u32, u32),
    /// Which sentence of the text it is in.
    pub sentence: u32,
    /// What the lexicon knows of it.
    pub entry: Entry,
    /// Is a number that counts as one: not the words "one" and "first".
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
    stems: String,
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
        let stemmer = match language {
            Language::English => &*ENGLISH,
            Language::Spanish => &*SPANISH,
        };
        let mut stems = String::with_capacity(self.stems.len());
        for word in &mut self.words {
            let form = &self.stems[word.stem.0 as usize..word.stem.1 as usize];
            let start = stems.len();
            if word.entry.function || word.entry.canonical.is_some() || is_number(form) || form.len() > LONGEST_STEMMED
            {
                stems.push_str(form);
            } else {
                fold_into(&stemmer.stem(form), &mut stems);
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
                    .bytes()
                    .all(|byte| byte == b' ' || byte == b'-')
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
            last.number |=
                sum.value() != 1 && last.entry.number != Some(NumberWord::Value(2)) || last.entry.number.is_none();
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

static ENGLISH: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::create(Algorithm::English));
static SPANISH: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::create(Algorithm::Spanish));

fn is_number(form: &str) -> bool {
    form.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
}

/// Positions are 32 bits wide: no text is longer than 4 GiB.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// Lower case, no accents.
fn fold_into(text: &str, folded: &mut String) {
    if text.is_ascii() {
        folded.push_str(text);
        folded.truncate(folded.len());
    } else {
        folded.extend(text.nfd().filter(|letter| !is_combining_mark(*letter)));
    }
}

fn is_word_letter(letter: char) -> bool {
    letter.is_alphanumeric() || is_combining_mark(letter)
}

fn is_apostrophe(letter: char) -> bool {
    matches!(letter, '\'' | '’' | 'ʼ')
}

/// Han and kana are written without spaces: each letter is a word.
fn stands_alone(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// Walks through a text once.
struct Reader<'a> {
    text: Text<'a>,
    folded: String,
    sentence: u32,
    /// How many more words of this clause are negated.
    negated: usize,
    /// The next word is the first of a sentence, or of a quotation.
    begins: bool,
    capitals: usize,
}

impl<'a> Reader<'a> {
    fn new(source: &'a str) -> Self {
        let text = Text {
            source,
            words: Vec::with_capacity(source.len() / 5),
            stems: String::with_capacity(source.len()),
        };
        Self {
            text,
            folded: String::new(),
            sentence: 0,
            negated: 0,
            begins: true,
            capitals: 0,
        }
    }

    fn read(mut self) -> Text<'a> {
        let source = self.text.source;
        let mut letters = source.char_indices().peekable();
        while let Some((start, letter)) = letters.next() {
            if !is_word_letter(letter) {
                self.punctuation(letter, letters.peek().is_none_or(|(_, next)| next.is_whitespace()));
                continue;
            }
            let end = if letter.is_ascii_digit() {
                self.digits(start)
            } else {
                self.letters(start)
            };
            while letters.next_if(|(position, _)| *position < end).is_some() {}
        }
        let words = &mut self.text.words;
        if words.len() >= 4 && self.capitals * 10 > words.len() * 7 {
            words.iter_mut().for_each(|word| word.name = false);
        }
        self.text
    }

    fn punctuation(&mut self, letter: char, before_space: bool) {
        match letter {
            '.' | '!' | '?' if before_space => self.new_sentence(),
            '\n' | '¿' | '¡' | '。' => self.new_sentence(),
            ',' | ';' | ':' | '(' | ')' | '—' | '–' if before_space || letter != ',' => self.negated = 0,
            '"' | '“' | '«' => self.begins = true,
            _ => {}
        }
    }

    fn new_sentence(&mut self) {
        if self
            .text
            .words
            .last()
            .is_some_and(|word| word.sentence == self.sentence)
        {
            self.sentence += 1;
        }
        self.negated = 0;
        self.begins = true;
    }

    /// A number in digits, and what hangs on it: 6th, 1960s, 5km.
    fn digits(&mut self, start: usize) -> usize {
        let source = self.text.source;
        let stem = self.text.stems.len();
        let end = start + number::leading_digits(&source[start..], &mut self.text.stems);
        let tail = end + letters_of(&source[end..]);
        let ordinal = matches!(
            &source[end..tail],
            "st" | "nd" | "rd" | "th" | "s" | "º" | "ª" | "er" | "o" | "a"
        );
        let end = if ordinal { tail } else { end };
        self.push(start, end, stem, Entry::default(), true);
        end
    }

    fn letters(&mut self, start: usize) -> usize {
        let source = self.text.source;
        let stem = self.text.stems.len();
        if let Some(end) = self.initials(start) {
            self.push_known(start, end, stem);
            return end;
        }
        let first = source[start..].chars().next().unwrap_or_default();
        let mut end = start
            + if stands_alone(first) {
                first.len_utf8()
            } else {
                letters_of(&source[start..])
            };
        let mut form_end = end;
        if let Some(rest) = source[end..].strip_prefix(is_apostrophe) {
            let tail_start = source.len() - rest.len();
            let tail = &rest[..letters_of(rest)];
            let short = matches!(tail, "s" | "S" | "re" | "m" | "d" | "ll" | "ve");
            if !tail.is_empty() {
                end = tail_start + tail.len();
                form_end = if short { form_end } else { end };
            }
        }
        self.push_form(&source[start..form_end]);
        self.push_known(start, end, stem);
        end
    }

    /// "U.S." and "M.C." are one word each; their points end no sentence.
    fn initials(&mut self, start: usize) -> Option<usize> {
        let bytes = self.text.source.as_bytes();
        let pair = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic) && bytes.get(at + 1) == Some(&b'.');
        let mut end = start;
        while pair(end) {
            end += 2;
        }
        let last = bytes.get(end).is_some_and(u8::is_ascii_alphabetic)
            && !bytes
                .get(end + 1)
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii());
        let end = if last { end + 1 } else { end };
        // One initial is a word like any other; its point is passed over with it: "John F. Kennedy".
        if end < start + 2 || end == start + 2 && !bytes[start].is_ascii_uppercase() {
            return None;
        }
        let letters = self.text.source[start..end].bytes().filter(u8::is_ascii_alphabetic);
        self.text
            .stems
            .extend(letters.map(|letter| letter.to_ascii_lowercase() as char));
        Some(end)
    }

    /// The form that is looked up and stemmed: lower case, composed, without apostrophes.
    fn push_form(&mut self, written: &str) {
        let stems = &mut self.text.stems;
        if written.is_ascii() {
            stems.extend(
                written
                    .bytes()
                    .filter(|byte| *byte != b'\'')
                    .map(|byte| byte.to_ascii_lowercase() as char),
            );
        } else {
            stems.extend(
                written
                    .nfc()
                    .filter(|letter| !is_apostrophe(*letter))
                    .flat_map(char::to_lowercase),
            );
        }
    }

    fn push_known(&mut self, start: usize, end: usize, stem: usize) {
        self.folded.clear();
        fold_into(&self.text.stems[stem..], &mut self.folded);
        let mut entry = lexicon::lookup(&self.folded);
        let written = &self.text.source[start..end];
        if matches!(written, "US" | "U.S." | "U.S") {
            entry = Entry {
                canonical: Some("usa"),
                ..Entry::default()
            };
        }
        if entry.function || entry.canonical.is_some() {
            self.text.stems.truncate(stem);
            self.text.stems.push_str(entry.canonical.unwrap_or(&self.folded));
        }
        self.push(start, end, stem, entry, false);
    }

    fn push(&mut self, start: usize, end: usize, stem: usize, entry: Entry, number: bool) {
        if entry.divides {
            self.negated = 0;
        }
        let capital = self.text.source[start..].chars().next().is_some_and(char::is_uppercase);
        self.capitals += usize::from(capital);
        let name = capital && !self.begins && !entry.function;
        if name && let Some(before) = self.text.words.last_mut() {
            // The first word of a sentence belongs to the name that follows.
            let written = &self.text.source[before.start as usize..];
            before.name |= before.sentence == self.sentence
                && !before.entry.function
                && written.chars().next().is_some_and(char::is_uppercase);
        }
        self.text.words.push(Word {
            start: index(start),
            end: index(end),
            stem: (index(stem), index(self.text.stems.len())),
            sentence: self.sentence,
            entry,
            number,
            name,
            negated: self.negated > 0,
        });
        self.begins = false;
        self.negated = if entry.negates {
            NEGATION_REACH
        } else {
            self.negated.saturating_sub(1)
        };
    }
}

fn letters_of(text: &str) -> usize {
    text.char_indices()
        .find(|(_, letter)| !is_word_letter(*letter) || stands_alone(*letter))
        .map_or(text.len(), |(position, _)| position)
}
