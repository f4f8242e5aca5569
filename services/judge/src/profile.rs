//! What can be said of one text without the other.

use crate::stems::{Side, Stems};
use crate::text::Text;

/// A refusal comes at the beginning: this many sentences count fully, later ones half.
const REFUSED_AT_ONCE: u32 = 2;
/// How many words may stand between "cannot" and "find".
const REFUSAL_REACH: u32 = 4;

/// Stands for the beginning or end of a sentence among the numbers of stems.
const END: u32 = u32::MAX;

/// One side of a comparison.
#[derive(Debug)]
pub struct Profile<'t> {
    /// The text.
    pub text: &'t Text<'t>,
    /// The number of each word's stem.
    pub ids: Vec<u32>,
    /// The distinct ones in order of appearance.
    pub distinct: Vec<u32>,
    /// How many of the distinct ones the first sentence has.
    lead: usize,
    /// The content words only, in order; all words if there are none.
    pub content: Vec<u32>,
    /// The same with an [`END`] behind each sentence.
    sentences: Vec<u32>,
    /// Which of those is negated.
    negated: Vec<bool>,
    /// The share of function words.
    pub function_share: f64,
    /// The share of content words that repeat earlier ones.
    pub repeated: f64,
    /// How many words negate.
    pub negations: usize,
    /// Opens with yes or no.
    pub opening: Option<bool>,
    /// Says that it does not know: 1 at the beginning, 0.5 later.
    pub refuses: f64,
    /// Says that something is not certain.
    pub hedges: bool,
    /// Ends a sentence.
    pub finished: bool,
}

impl<'t> Profile<'t> {
    /// Reads a text into the table of stems.
    pub fn new(text: &'t Text<'_>, side: Side, stems: &mut Stems<'t>) -> Self {
        let (ids, distinct) = stems.add(text, side);
        let functions = text.words.iter().filter(|word| word.entry.function).count();
        let mut content: Vec<u32> = ids.iter().copied().filter(|id| !stems.get(*id).function).collect();
        let distinct_content = distinct.iter().filter(|id| !stems.get(**id).function).count();
        let lead_words = text.words.iter().take_while(|word| word.sentence == 0).count();
        let is_lead = |id: &&u32| (stems.get(**id).occurrences(side).first as usize) < lead_words;
        let lead = distinct.iter().take_while(is_lead).count();
        let repeated = 1.0 - share(distinct_content as f64, content.len() as f64, 1.0);
        let mut sentence = 0;
        let (mut sentences, mut negated) = (vec![END], vec![false]);
        for (word, id) in text.words.iter().zip(&ids) {
            if word.sentence != sentence && sentences.last() != Some(&END) {
                sentences.push(END);
                negated.push(false);
            }
            sentence = word.sentence;
            if !stems.get(*id).function {
                sentences.push(*id);
                negated.push(word.negated);
            }
        }
        sentences.push(END);
        if content.is_empty() {
            content.clone_from(&ids);
        }
        Self {
            text,
            lead,
            content,
            sentences,
            negated,
            function_share: share(functions as f64, text.words.len() as f64, 0.0),
            repeated,
            negations: text.words.iter().filter(|word| word.entry.negates).count(),
            opening: opening(text),
            refuses: refuses(text),
            finished: text
                .source
                .trim_end_matches(closes)
                .ends_with(['.', '!', '?', '…', '。']),
            hedges: text.words.iter().any(|word| word.entry.hedges),
            ids,
            distinct,
        }
    }

    /// The distinct words of the first sentence.
    pub fn lead(&self) -> &[u32] {
        &self.distinct[..self.lead]
    }

    /// The content words of each sentence.
    pub fn sentences(&self) -> impl Iterator<Item = &[u32]> + '_ {
        self.sentences
            .split(|id| *id == END)
            .filter(|sentence| !sentence.is_empty())
    }

    /// Neighbouring content words of one sentence.
    pub fn pairs(&self) -> impl Iterator<Item = (u32, u32)> + Clone + '_ {
        let pairs = self.sentences.windows(2).map(|pair| (pair[0], pair[1]));
        pairs.filter(|(left, right)| *left != END && *right != END)
    }

    /// The same, and whether the second of them is negated.
    pub fn stated(&self) -> impl Iterator<Item = ((u32, u32), bool)> + '_ {
        let pairs = self
            .sentences
            .windows(2)
            .zip(&self.negated[1..])
            .map(|(pair, negated)| ((pair[0], pair[1]), *negated));
        pairs.filter(|((left, right), _)| *left != END && *right != END)
    }

    /// Each content word between its neighbours, where one of them at least is a word.
    pub fn framed(&self) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        let triples = self
            .sentences
            .windows(3)
            .map(|triple| (triple[0], triple[1], triple[2]));
        triples.filter(|(left, middle, right)| *middle != END && (*left != END || *right != END))
    }
}

/// A part of a whole; of an empty whole, what is given.
pub fn share(part: f64, whole: f64, of_nothing: f64) -> f64 {
    if whole > 0.0 { part / whole } else { of_nothing }
}

/// What may stand behind the end of a sentence: space, quotation marks, brackets, the digits of a note.
fn closes(letter: char) -> bool {
    letter.is_whitespace()
        || letter.is_ascii_digit()
        || matches!(letter, '"' | '\'' | '”' | '’' | '»' | ')' | ']' | '[' | '*')
}

fn opening(text: &Text<'_>) -> Option<bool> {
    let entry = text.words.first()?.entry;
    if entry.yes {
        Some(true)
    } else {
        entry.no.then_some(false)
    }
}

/// "I do not know": a negation by the speaker, or at the beginning of a sentence, and soon behind it a word like know.
fn refuses(text: &Text<'_>) -> f64 {
    let (mut spoken, mut begun, mut denied) = (None, (0, 0), None);
    for (position, word) in (0_u32..).zip(&text.words) {
        if word.sentence != begun.0 {
            (spoken, begun, denied) = (None, (word.sentence, position), None);
        }
        let near = |at: Option<u32>, reach: u32| at.is_some_and(|at| position - at <= reach);
        if word.entry.ignorant || word.entry.knows && near(denied, REFUSAL_REACH) {
            return if word.sentence < REFUSED_AT_ONCE { 1.0 } else { 0.5 };
        }
        if word.entry.first_person {
            spoken = Some(position);
        }
        if word.entry.negates && (near(spoken, 2) || position - begun.1 <= 2) {
            denied = Some(position);
        }
    }
    0.0
}
