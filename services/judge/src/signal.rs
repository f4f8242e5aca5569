//! The signals: everything that the judge notices, by name.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};

macro_rules! signals {
    ($($(#[doc = $doc:literal])+ $variant:ident $name:literal,)+) => {
        /// One thing that the judge notices about an answer.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Signal {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Signal {
            /// All of them, in the one order in which they are added up.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The name under which it is stored and shown.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// What it says, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii()),+ }
            }
        }
    };
}

signals! {
    /// The cosine of the TF-IDF vectors of both texts; for information, no part of the score.
    Cosine "cosine",
    /// The share of the reference's new words that the answer lacks, by idf; new is what the question did not give.
    Uncovered "uncovered",
    /// The share of all of the reference's content words that the answer lacks, by idf.
    Unshared "unshared",
    /// How unlike the reference's new words are to the most similar words of the answer, by letter pairs.
    Unlike "unlike",
    /// The question asks for an explanation, and the answer has less than half of the reference's new words: a sixth is 1.
    Incomplete "incomplete",
    /// Less than a quarter of the answer's content words stand in the reference or the question: none is 1, by idf.
    Unrelated "unrelated",
    /// The share of the answer's content words that stand in sentences without a word of the reference or the question.
    Digressing "digressing",
    /// The share of the answer's new words that the reference lacks, by idf.
    Beyond "beyond",
    /// The reference does not stand in the answer word for word.
    Scattered "scattered",
    /// The share of the new words of the reference's first sentence that the answer lacks, by idf.
    LeadUncovered "lead_uncovered",
    /// The share of the names in the reference's first sentence that the answer lacks, by idf.
    LeadNames "lead_names",
    /// The share of the numbers in the reference's first sentence that the answer lacks.
    LeadNumbers "lead_numbers",
    /// The share of the new words of the answer's first sentence that the reference lacks, by idf.
    LeadBeyond "lead_beyond",
    /// The same, counted less the longer the answer is: the reference does not stand in it word for word.
    Curt "curt",
    /// The share of the reference's names that the answer lacks, by idf.
    NamesMissing "names_missing",
    /// The share of the answer's names that stand neither in the reference nor in the question.
    NamesForeign "names_foreign",
    /// How many names of the answer stand neither in the reference nor in the question: none is 0, many are 1.
    Rivals "rivals",
    /// The share of the reference's numbers that the answer lacks.
    NumbersMissing "numbers_missing",
    /// The answer lacks a number of the reference and has another in its place.
    NumbersReplaced "numbers_replaced",
    /// The share of the reference's numbers that the answer lacks, where the question asks for a number.
    NumbersAsked "numbers_asked",
    /// The share of the shared words that are negated in one text and not in the other, by idf.
    Polarity "polarity",
    /// Neighbouring words of both texts are negated in one of them and not in the other.
    Denied "denied",
    /// The answer negates more often or less often than the reference: by two or more is 1.
    Negations "negations",
    /// One text opens with yes and the other with no; half if only the reference opens so.
    Clash "clash",
    /// The answer says that it does not know, and the reference does not.
    Refusal "refusal",
    /// The answer says that it is not certain, and the reference does not.
    Uncertain "uncertain",
    /// The share of the question's words in the reference that the answer lacks, by idf.
    Unasked "unasked",
    /// Among eight words or more there are fewer function words than in a text written by people, or in the reference.
    Stuffed "stuffed",
    /// The share of the answer's content words that repeat earlier ones, beyond that in the reference.
    Repeated "repeated",
    /// The share of the reference's neighbouring content words that stand in the answer the other way round.
    Reversed "reversed",
    /// Between the same neighbours stands another number.
    Substituted "substituted",
    /// Two words of the reference stand between each other's neighbours.
    Exchanged "exchanged",
    /// The answer does not end a sentence, and the reference does.
    Unfinished "unfinished",
    /// How much longer than the reference the answer is, as a logarithm: thirty times is 1.
    Excess "excess",
    /// The answer has the opposite of a word of the reference in that word's place.
    Opposite "opposite",
}

/// The value of every signal; 0 but for the cosine means that nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signals([f64; Signal::ALL.len()]);

impl Signals {
    /// Nothing is wrong: what the reference itself gets.
    pub const NONE: Self = Self([0.0; Signal::ALL.len()]);

    /// The value of one signal.
    pub fn get(&self, signal: Signal) -> f64 {
        self.0[signal as usize]
    }

    /// Sets one signal; penalties are kept between 0 and 1.
    pub(crate) fn set(&mut self, signal: Signal, value: f64) {
        self.0[signal as usize] = if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 };
    }

    /// All of them in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Signal, f64)> + '_ {
        Signal::ALL.iter().map(|signal| (*signal, self.get(*signal)))
    }

    /// As a verdict carries them: to four digits, without those that are 0.
    pub fn rounded(&self) -> BTreeMap<String, f64> {
        let rounded = self.iter().map(|(signal, value)| (signal, (value * 1e4).round() / 1e4));
        let present = rounded.filter(|(_, value)| *value != 0.0);
        present
            .map(|(signal, value)| (signal.name().to_owned(), value))
            .collect()
    }
}

impl Serialize for Signals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Signal::ALL.len()))?;
        for (signal, value) in self.iter() {
            map.serialize_entry(signal.name(), &value)?;
        }
        map.end()
    }
}
