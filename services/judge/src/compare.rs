//! An answer beside one reference: the value of every signal.

mod order;
mod stance;

use rustc_hash::{FxHashMap, FxHashSet};

use self::stance::{Stated, stated};
use crate::profile::{Profile, share};
use crate::question::Asked;
use crate::signal::{Signal, Signals};
use crate::spelling::spell;
use crate::stems::{Stem, Stems};

/// A text of people has at least this share of function words.
const NATURAL_FUNCTION_SHARE: f64 = 0.2;
/// Fewer words may be a name or a date, which need none.
const SENTENCE: f64 = 8.0;
/// A text of people repeats up to this share of its content words.
const NATURAL_REPETITION: f64 = 0.35;

/// Which words of the reference the answer has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relevant {
    /// Content words that the question did not give.
    New,
    /// All content words: the question gave them all.
    Content,
    /// All words: none is a content word.
    Any,
}

impl Relevant {
    fn of(reference: &Profile<'_>, stems: &Stems<'_>) -> Self {
        [Self::New, Self::Content]
            .into_iter()
            .find(|kind| reference.distinct.iter().any(|id| kind.includes(stems.get(*id))))
            .unwrap_or(Self::Any)
    }

    /// Whether a word is one of them.
    pub fn includes(self, stem: &Stem<'_>) -> bool {
        match self {
            Self::New => !stem.function && !stem.asked,
            Self::Content => !stem.function,
            Self::Any => true,
        }
    }
}

/// What of the answer is needed for every reference.
#[derive(Debug)]
pub struct Answer<'t> {
    /// Its words.
    pub profile: Profile<'t>,
    /// Its neighbouring content words, and whether they are negated.
    pairs: Stated,
    /// What stands between two neighbours, and all three; a sentence's end is a neighbour, too.
    frames: FxHashMap<(u32, u32), Vec<u32>>,
    framed: FxHashSet<(u32, u32, u32)>,
    /// What the question asks for.
    asked: Asked,
}

impl<'t> Answer<'t> {
    /// Prepares an answer to be compared.
    pub fn new(profile: Profile<'t>, asked: Asked) -> Self {
        Self {
            pairs: stated(&profile),
            frames: order::frames(&profile),
            framed: profile.framed().collect(),
            profile,
            asked,
        }
    }
}

/// Compares the answer with one reference; what is found out about single words stays in the table of stems.
pub fn compare(answer: &Answer<'_>, reference: &Profile<'_>, stems: &mut Stems<'_>) -> (Signals, Relevant) {
    let relevant = Relevant::of(reference, stems);
    if reference.ids.is_empty() || answer.profile.ids.is_empty() {
        let equal = reference.text.source.trim() == answer.profile.text.source.trim();
        return (if equal { Signals::NONE } else { nothing_shared() }, relevant);
    }
    spell(answer, reference, relevant, stems);
    let mut comparison = Comparison {
        answer,
        given: &answer.profile,
        reference,
        relevant,
        stems,
        signals: Signals::NONE,
    };
    comparison.coverage();
    comparison.cosine();
    comparison.digression();
    comparison.lead();
    comparison.order();
    comparison.places();
    comparison.names();
    comparison.numbers();
    comparison.polarity();
    comparison.stance();
    comparison.shape();
    (comparison.signals, relevant)
}

/// Where one of the texts has no words: whatever can be lacking or strange is.
fn nothing_shared() -> Signals {
    let mut signals = Signals::NONE;
    for signal in [
        Signal::Uncovered,
        Signal::Unshared,
        Signal::Unlike,
        Signal::Incomplete,
        Signal::Unrelated,
        Signal::Digressing,
        Signal::Beyond,
        Signal::Scattered,
        Signal::LeadUncovered,
        Signal::LeadNames,
        Signal::LeadNumbers,
        Signal::LeadBeyond,
        Signal::Curt,
        Signal::NamesMissing,
        Signal::NumbersMissing,
        Signal::Unasked,
    ] {
        signals.set(signal, 1.0);
    }
    signals
}

struct Comparison<'c, 't> {
    answer: &'c Answer<'t>,
    given: &'c Profile<'t>,
    reference: &'c Profile<'t>,
    relevant: Relevant,
    stems: &'c Stems<'t>,
    signals: Signals,
}

impl<'c, 't> Comparison<'c, 't> {
    fn stems(&self, ids: &'c [u32]) -> impl Iterator<Item = &'c Stem<'t>> + Clone + use<'c, 't> {
        let stems = self.stems;
        ids.iter().map(move |id| stems.get(*id))
    }

    /// Those words that count.
    fn relevant(&self, ids: &'c [u32]) -> impl Iterator<Item = &'c Stem<'t>> + Clone + use<'c, 't> {
        let relevant = self.relevant;
        self.stems(ids).filter(move |stem| relevant.includes(stem))
    }

    /// The reference's words that count.
    fn wanted(&self) -> impl Iterator<Item = &'c Stem<'t>> + Clone + use<'c, 't> {
        self.relevant(&self.reference.distinct)
    }

    /// The answer's words that count.
    fn offered(&self) -> impl Iterator<Item = &'c Stem<'t>> + Clone + use<'c, 't> {
        self.relevant(&self.given.distinct)
    }

    fn coverage(&mut self) {
        let wanted = mass(self.wanted());
        let covered = mass(self.wanted().filter(|stem| has(stem)));
        let like: f64 = self
            .wanted()
            .map(|stem| stem.idf * if has(stem) { 1.0 } else { stem.likeness })
            .sum();
        self.signals.set(Signal::Uncovered, 1.0 - share(covered, wanted, 1.0));
        self.signals.set(Signal::Unlike, 1.0 - share(like, wanted, 1.0));
        let content = || self.stems(&self.reference.distinct).filter(|stem| !stem.function);
        let shared = share(
            mass(content().filter(|stem| has(stem))),
            mass(content()),
            1.0 - self.signals.get(Signal::Uncovered),
        );
        self.signals.set(Signal::Unshared, 1.0 - shared);
        let given = || {
            self.stems(&self.reference.distinct)
                .filter(|stem| stem.asked && !stem.function)
        };
        let unasked = share(mass(given().filter(|stem| !has(stem))), mass(given()), 0.0);
        self.signals.set(Signal::Unasked, unasked);
        let asked = self.answer.asked;
        let explains = asked.explanation || asked.polar && self.reference.opening.is_none();
        let part = if explains {
            1.5 - 3.0 * share(covered, wanted, 0.0)
        } else {
            0.0
        };
        self.signals.set(Signal::Incomplete, part);
        let content = || self.stems(&self.given.distinct).filter(|stem| !stem.function);
        let related = mass(content().filter(|stem| stem.reference.any() || stem.asked || stem.misspelt));
        self.signals
            .set(Signal::Unrelated, 1.0 - 4.0 * share(related, mass(content()), 1.0));
        let offered = mass(self.offered());
        let backed = mass(self.offered().filter(|stem| stem.reference.any() || stem.misspelt));
        self.signals.set(Signal::Beyond, 1.0 - share(backed, offered, 0.0));
    }

    /// TF-IDF as it was the score before: kept to be seen.
    fn cosine(&mut self) {
        let dot = |weights: fn(&Stem<'_>) -> f64| -> f64 {
            self.stems(&self.reference.distinct)
                .chain(self.stems(&self.given.distinct).filter(|stem| !stem.reference.any()))
                .map(weights)
                .sum()
        };
        let both = dot(|stem| stem.idf * stem.idf * f64::from(stem.answer.count) * f64::from(stem.reference.count));
        let lengths = dot(|stem| (stem.idf * f64::from(stem.answer.count)).powi(2)).sqrt()
            * dot(|stem| (stem.idf * f64::from(stem.reference.count)).powi(2)).sqrt();
        self.signals.set(Signal::Cosine, share(both, lengths, 0.0));
    }

    fn names(&mut self) {
        let names = self.wanted().filter(|stem| stem.reference_name);
        self.signals.set(Signal::NamesMissing, lacking(names));
        let given = self.stems(&self.given.distinct).filter(|stem| stem.answer_name).count() as f64;
        let foreign = self
            .stems(&self.given.distinct)
            .filter(|stem| stem.answer_name && is_foreign(stem))
            .count() as f64;
        self.signals.set(Signal::NamesForeign, share(foreign, given, 0.0));
        self.signals.set(Signal::Rivals, foreign / (foreign + 3.0));
    }

    fn numbers(&mut self) {
        let numbers = || {
            self.stems(&self.reference.distinct)
                .filter(|stem| stem.reference_number)
        };
        let missing = numbers().filter(|stem| !stem.answer.any()).count() as f64;
        let missing = share(missing, numbers().count() as f64, 0.0);
        let others = self
            .stems(&self.given.distinct)
            .any(|stem| stem.answer_number && is_foreign(stem));
        self.signals.set(Signal::NumbersMissing, missing);
        self.signals
            .set(Signal::NumbersReplaced, f64::from(missing > 0.0 && others));
        self.signals.set(
            Signal::NumbersAsked,
            if self.answer.asked.number { missing } else { 0.0 },
        );
    }

    /// Length and make-up, without a look at what is said.
    fn shape(&mut self) {
        let (own, given) = (self.reference.ids.len() as f64, self.given.ids.len() as f64);
        self.signals.set(
            Signal::Excess,
            if given > own {
                (given / own).ln() / 30_f64.ln()
            } else {
                0.0
            },
        );
        let unfinished = self.reference.finished && !self.given.finished;
        self.signals.set(Signal::Unfinished, f64::from(unfinished));
        let natural = if given >= 12.0 && given > 2.0 * own {
            NATURAL_FUNCTION_SHARE
        } else {
            NATURAL_FUNCTION_SHARE.min(self.reference.function_share)
        };
        let natural = if given >= SENTENCE { natural } else { 0.0 };
        self.signals.set(
            Signal::Stuffed,
            share(natural - self.given.function_share, natural, 0.0),
        );
        let natural = NATURAL_REPETITION.max(self.reference.repeated);
        self.signals.set(
            Signal::Repeated,
            share(self.given.repeated - natural, 1.0 - natural, 0.0),
        );
    }
}

fn mass<'s>(stems: impl Iterator<Item = &'s Stem<'s>>) -> f64 {
    stems.map(|stem| stem.idf).sum()
}

/// The share of the reference's words that the answer lacks, by idf.
fn lacking<'s>(stems: impl Iterator<Item = &'s Stem<'s>> + Clone) -> f64 {
    share(mass(stems.clone().filter(|stem| !has(stem))), mass(stems), 0.0)
}

/// The answer has this word of the reference, perhaps misspelt.
fn has(stem: &Stem<'_>) -> bool {
    stem.answer.any() || stem.misspelt
}

/// Neither the reference nor the question has this word of the answer.
fn is_foreign(stem: &Stem<'_>) -> bool {
    !stem.reference.any() && !stem.asked && !stem.misspelt
}
