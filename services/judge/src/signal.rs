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

            /// What it says of the answer, in one short sentence; after that, how it is measured.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii()),+ }
            }
        }
    };
}

signals! {
    /// Has words like the reference's. The cosine of the TF-IDF vectors of both; for information, no part of the score.
    Cosine "cosine",
    /// Lacks new words of the reference. Their share, by idf; new is what the question did not give.
    Uncovered "uncovered",
    /// Lacks words of the reference. The share of all of its content words, by idf.
    Unshared "unshared",
    /// Lacks words spelt like the reference's. How unlike its new words are to the answer's, by letter pairs.
    Unlike "unlike",
    /// Leaves most of the explanation out. The question asks for one, and less than half of the reference's new words
    /// are there: a sixth is 1.
    Incomplete "incomplete",
    /// Speaks mostly of other things. Less than a quarter of its content words stand in the reference or the question:
    /// none is 1, by idf.
    Unrelated "unrelated",
    /// Has sentences about something else. The share of its content words that stand in sentences without a word of the
    /// reference or the question.
    Digressing "digressing",
    /// Adds words that the reference lacks. Their share of its new words, by idf.
    Beyond "beyond",
    /// Lacks the reference's exact wording. The reference does not stand in it word for word.
    Scattered "scattered",
    /// Lacks words the reference opens with. The share of the new words of its first sentence, by idf.
    LeadUncovered "lead_uncovered",
    /// Lacks names the reference opens with. The share of the names in its first sentence, by idf.
    LeadNames "lead_names",
    /// Lacks numbers the reference opens with. The share of the numbers in its first sentence.
    LeadNumbers "lead_numbers",
    /// Opens with words not in the reference. Their share of the new words of its first sentence, by idf.
    LeadBeyond "lead_beyond",
    /// Is short and worded differently. As `scattered`, but counted less the longer the answer is.
    Curt "curt",
    /// Lacks names of the reference. Their share, by idf.
    NamesMissing "names_missing",
    /// Has names not in the reference. The share of its names that stand neither there nor in the question.
    NamesForeign "names_foreign",
    /// Has many names not in the reference. How many stand neither there nor in the question: none is 0, many are 1.
    Rivals "rivals",
    /// Lacks numbers of the reference. Their share.
    NumbersMissing "numbers_missing",
    /// Has another number than the reference. It lacks one of the reference and has one that nobody gave.
    NumbersReplaced "numbers_replaced",
    /// Lacks the number that was asked for. The share of the reference's numbers, where the question asks for one.
    NumbersAsked "numbers_asked",
    /// Negates other words than the reference. The share of the shared words that only one text negates, by idf.
    Polarity "polarity",
    /// Contradicts a phrase of the reference. Neighbouring words of both texts are negated in only one of them.
    Denied "denied",
    /// Has too many or too few negations. Compared with the reference: two more or fewer are 1.
    Negations "negations",
    /// Lacks the reference's yes or no. One opens with yes and the other with no; half if only the reference opens so.
    Clash "clash",
    /// Says that it does not know. The reference does not say so.
    Refusal "refusal",
    /// Says that it is not certain. The reference does not say so.
    Uncertain "uncertain",
    /// Lacks words of the question. The share of those that stand in the reference, by idf.
    Unasked "unasked",
    /// Lists words instead of sentences. Among eight or more there are fewer function words than people write, or than
    /// in the reference.
    Stuffed "stuffed",
    /// Repeats itself. The share of its content words that repeat earlier ones, beyond that in the reference.
    Repeated "repeated",
    /// Has words in reverse order. The share of the reference's neighbouring content words that stand the other way
    /// round.
    Reversed "reversed",
    /// Has another number in the same place. It stands between the same neighbours.
    Substituted "substituted",
    /// Has two words in each other's place. Two words of the reference stand between each other's neighbours.
    Exchanged "exchanged",
    /// Ends within a sentence. The reference does not.
    Unfinished "unfinished",
    /// Is longer than the reference. By how much, as a logarithm: thirty times is 1.
    Excess "excess",
    /// Has a word's opposite in its place. The word itself, which the reference has, is lacking.
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
