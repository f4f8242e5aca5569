//! Cuts a text into words, and says of each what can be seen where it stands.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::lexicon::{self, Entry};
use crate::number;
use crate::text::{Text, Word, fold_into, index};

/// How far a negation reaches, in words of its clause.
const NEGATION_REACH: usize = 6;
fn is_word_letter(letter: char) -> bool {
    if letter.is_ascii() {
        letter.is_ascii_alphanumeric()
    } else {
        letter.is_alphanumeric() || is_combining_mark(letter)
    }
}

fn is_apostrophe(letter: char) -> bool {
    matches!(letter, '\'' | '’' | 'ʼ')
}

/// Han and kana are written without spaces: each letter is a word.
fn stands_alone(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// Walks through a text once.
pub struct Reader<'a> {
    text: Text<'a>,
    folded: String,
    sentence: u32,
    /// How many more words of this clause are negated.
    negated: usize,
    /// The next word is the first of a sentence, or of a quotation.
    begins: bool,
    capitals: usize,
    /// How many function words were Spanish so far, less those that were English.
    spanish: i64,
}

impl<'a> Reader<'a> {
    /// Before the first word.
    pub fn new(source: &'a str) -> Self {
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
            spanish: 0,
        }
    }

    /// All words of the text.
    pub fn read(mut self) -> Text<'a> {
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
        if written == "May" && (!self.begins || self.is_before_digit(end)) {
            // Capital inside a sentence, or with a day or year: the month, or a name, and not the verb.
            entry = lexicon::lookup("mayo");
        }
        entry.explains |= matches!(written, "cómo" | "Cómo");
        // "Sin azúcar" is without sugar; "a sin" is not.
        entry.negates |= written == "sin" && self.spanish > 0;
        // "No sé" is "I do not know"; "no se" is not.
        entry.knows |= matches!(written, "sé" | "Sé");
        if entry.function || entry.canonical.is_some() {
            self.text.stems.truncate(stem);
            self.text.stems.push_str(entry.canonical.unwrap_or(&self.folded));
        }
        self.push(start, end, stem, entry, false);
    }

    fn is_before_digit(&self, end: usize) -> bool {
        self.text.source[end..]
            .trim_start()
            .starts_with(|letter: char| letter.is_ascii_digit())
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
        self.spanish += i64::from(entry.spanish) - i64::from(entry.english);
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
