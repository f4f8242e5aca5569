//! The table of a case's stems: each gets a number, and what is known of it is kept by that number.

use rustc_hash::FxHashMap;

use crate::frequencies::Frequencies;
use crate::lexicon;
use crate::text::Text;

/// Where and how often a stem stands in a text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Occurrences {
    /// How often.
    pub count: u32,
    /// Which word of the text is the first of them.
    pub first: u32,
    /// Which is the last.
    pub last: u32,
    /// How many of them are negated.
    pub negated: u32,
}

impl Occurrences {
    fn add(&mut self, position: u32, negated: bool) {
        if self.count == 0 {
            self.first = position;
        }
        self.last = position;
        self.count += 1;
        self.negated += u32::from(negated);
    }

    /// Whether it is there.
    pub fn any(&self) -> bool {
        self.count > 0
    }

    /// All of them are negated here and none there, or the other way round.
    pub fn contradicts(&self, other: &Self) -> bool {
        self.negated == 0 && other.negated == other.count || self.negated == self.count && other.negated == 0
    }
}

/// One stem.
#[derive(Debug, Clone, Copy)]
pub struct Stem<'t> {
    /// Itself.
    pub text: &'t str,
    /// Its inverse document frequency.
    pub idf: f64,
    /// Carries grammar rather than content.
    pub function: bool,
    /// Is a number in the question or the answer.
    pub answer_number: bool,
    /// Is a number in the reference.
    pub reference_number: bool,
    /// Stands in the question.
    pub asked: bool,
    /// Is written like a name in the answer.
    pub answer_name: bool,
    /// Is written like a name in the reference.
    pub reference_name: bool,
    /// Where it stands in the answer.
    pub answer: Occurrences,
    /// Where it stands in the reference.
    pub reference: Occurrences,
    /// It stands in one text; the other has one so similar that it is taken for a misspelling of it.
    pub misspelt: bool,
    /// How similar the answer's most similar word is to this one of the reference.
    pub likeness: f64,
    letters: u32,
}

impl Stem<'_> {
    /// Is a number in any of the texts.
    pub fn number(&self) -> bool {
        self.answer_number || self.reference_number
    }

    /// Where it stands in the answer or the reference.
    pub fn occurrences(&self, side: Side) -> Occurrences {
        if side == Side::Answer {
            self.answer
        } else {
            self.reference
        }
    }

    /// The letters a to z that it has, as bits.
    pub fn letters(&self) -> u32 {
        self.letters
    }
}

/// All stems of a case.
#[derive(Debug)]
pub struct Stems<'t> {
    frequencies: &'t Frequencies,
    ids: FxHashMap<&'t str, u32>,
    /// By their number.
    pub all: Vec<Stem<'t>>,
}

/// Which of the case's texts words come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The question.
    Question,
    /// The answer.
    Answer,
    /// One of the references.
    Reference,
}

impl<'t> Stems<'t> {
    /// An empty table.
    pub fn new(frequencies: &'t Frequencies, capacity: usize) -> Self {
        let ids = FxHashMap::with_capacity_and_hasher(capacity, rustc_hash::FxBuildHasher);
        Self {
            frequencies,
            ids,
            all: Vec::with_capacity(capacity),
        }
    }

    /// The number of each word of a text, and the distinct ones in order of appearance.
    pub fn add(&mut self, text: &'t Text<'_>, side: Side) -> (Vec<u32>, Vec<u32>) {
        let mut ids = Vec::with_capacity(text.words.len());
        let mut distinct = Vec::with_capacity(text.words.len());
        for (position, word) in (0..).zip(&text.words) {
            let id = self.id(text.stem(word));
            let stem = &mut self.all[id as usize];
            let occurrences = match side {
                Side::Question => {
                    stem.asked = true;
                    stem.answer_number |= word.number;
                    ids.push(id);
                    continue;
                }
                Side::Answer => {
                    stem.answer_name |= word.name;
                    stem.answer_number |= word.number;
                    &mut stem.answer
                }
                Side::Reference => {
                    stem.reference_name |= word.name;
                    stem.reference_number |= word.number;
                    &mut stem.reference
                }
            };
            if !occurrences.any() {
                distinct.push(id);
            }
            occurrences.add(position, word.negated);
            ids.push(id);
        }
        (ids, distinct)
    }

    /// Forgets what one reference had, before the next one.
    pub fn forget(&mut self, reference: &[u32], answer: &[u32]) {
        for id in reference.iter().chain(answer) {
            let stem = &mut self.all[*id as usize];
            (stem.reference, stem.reference_name, stem.reference_number) = (Occurrences::default(), false, false);
            (stem.misspelt, stem.likeness) = (false, 0.0);
        }
    }

    /// What is known of a stem by its number.
    pub fn get(&self, id: u32) -> &Stem<'t> {
        &self.all[id as usize]
    }

    /// The stem of a word that may not be in the case.
    pub fn find(&self, text: &str) -> Option<&Stem<'t>> {
        self.ids.get(text).map(|id| self.get(*id))
    }

    fn id(&mut self, text: &'t str) -> u32 {
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let id = *self.ids.entry(text).or_insert(next);
        if id == next {
            self.all.push(Stem {
                text,
                idf: self.frequencies.idf(text),
                function: lexicon::lookup(text).function,
                answer_number: false,
                reference_number: false,
                asked: false,
                answer_name: false,
                reference_name: false,
                answer: Occurrences::default(),
                reference: Occurrences::default(),
                misspelt: false,
                likeness: 0.0,
                letters: letters(text),
            });
        }
        id
    }
}

fn letters(text: &str) -> u32 {
    text.bytes().fold(0, |bits, byte| {
        bits | if byte.is_ascii_lowercase() {
            1 << (byte - b'a')
        } else {
            1 << 26
        }
    })
}
