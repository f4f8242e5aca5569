//! An answer beside one reference: the value of every signal.

use rustc_hash::FxHashSet;

use crate::likeness::{MISSPELT, SHORTEST, likeness, may_be_like};
use crate::opposites;
use crate::profile::{Profile, share};
use crate::signal::{Signal, Signals};
use crate::stems::{Stem, Stems};

/// A text of people has at least this share of function words.
const NATURAL_FUNCTION_SHARE: f64 = 0.35;
/// A text of people repeats up to this share of its content words.
const NATURAL_REPETITION: f64 = 0.35;
/// At most so many missing words are compared letter by letter with at most so many of the answer.
const MISSING_COMPARED: usize = 64;
const ADDED_COMPARED: usize = 512;
/// Longer references are not looked for word for word, only pair by pair.
const LONGEST_SOUGHT: usize = 64;
/// How many of the answer's new words are its beginning.
const BEGINNING: usize = 12;

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
    /// Its neighbouring content words.
    pairs: FxHashSet<(u32, u32)>,
    /// The neighbours on both sides of each content word, and those with the word; a sentence's end is a neighbour, too.
    frames: FxHashSet<(u32, u32)>,
    framed: FxHashSet<(u32, u32, u32)>,
    /// The question asks for a number.
    number_asked: bool,
}

impl<'t> Answer<'t> {
    /// Prepares an answer to be compared.
    pub fn new(profile: Profile<'t>, number_asked: bool) -> Self {
        let pairs = profile.content.windows(2).map(|pair| (pair[0], pair[1])).collect();
        let framed: FxHashSet<_> = profile.framed().collect();
        let frames = framed.iter().map(|(left, _, right)| (*left, *right)).collect();
        Self {
            profile,
            pairs,
            frames,
            framed,
            number_asked,
        }
    }
}

/// Compares the answer with one reference; what is found out about single words stays in the table of stems.
pub fn compare(answer: &Answer<'_>, reference: &Profile<'_>, stems: &mut Stems<'_>) -> (Signals, Relevant) {
    let relevant = Relevant::of(reference, stems);
    let mut signals = Signals::NONE;
    if reference.ids.is_empty() {
        if reference.text.source.trim() != answer.profile.text.source.trim() {
            use Signal::{Astray, Beyond, Scattered, Uncovered, Unlike, Unshared};
            for signal in [Uncovered, Unshared, Unlike, Beyond, Scattered, Astray] {
                signals.set(signal, 1.0);
            }
        }
        return (signals, relevant);
    }
    spell(answer, reference, relevant, stems);
    let mut comparison = Comparison {
        answer,
        given: &answer.profile,
        reference,
        relevant,
        stems,
        signals,
    };
    comparison.coverage();
    comparison.beginning();
    comparison.sentences();
    comparison.order();
    comparison.names();
    comparison.numbers();
    comparison.polarity();
    comparison.stance();
    comparison.shape();
    (comparison.signals, relevant)
}

/// Finds the answer's most similar word to each missing one.
fn spell(answer: &Answer<'_>, reference: &Profile<'_>, relevant: Relevant, stems: &mut Stems<'_>) {
    let missing =
        |id: &&u32| relevant.includes(stems.get(**id)) && !stems.get(**id).answer.any() && !stems.get(**id).number();
    let missing: Vec<u32> = reference
        .distinct
        .iter()
        .filter(missing)
        .take(MISSING_COMPARED)
        .copied()
        .collect();
    if missing.is_empty() {
        return;
    }
    let added =
        |id: &&u32| !stems.get(**id).reference.any() && !stems.get(**id).number() && relevant.includes(stems.get(**id));
    let added: Vec<u32> = answer
        .profile
        .distinct
        .iter()
        .filter(added)
        .take(ADDED_COMPARED)
        .copied()
        .collect();
    for id in missing {
        let stem = *stems.get(id);
        let mut best = (0.0, None);
        for other in &added {
            let candidate = stems.get(*other);
            if may_be_like(stem.letters(), candidate.letters()) {
                let likeness = likeness(stem.text, candidate.text);
                if likeness > best.0 {
                    best = (likeness, Some(*other));
                }
            }
        }
        let (likeness, Some(other)) = best else { continue };
        let misspelt = likeness >= MISSPELT && stem.text.len().min(stems.get(other).text.len()) >= SHORTEST;
        stems.all[id as usize].likeness = likeness;
        stems.all[id as usize].misspelt = misspelt;
        stems.all[other as usize].misspelt |= misspelt;
    }
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

    /// The reference's words that count.
    fn wanted(&self) -> impl Iterator<Item = &'c Stem<'t>> + Clone + use<'c, 't> {
        let relevant = self.relevant;
        self.stems(&self.reference.distinct)
            .filter(move |stem| relevant.includes(stem))
    }

    /// The answer's words that count.
    fn offered(&self) -> impl Iterator<Item = &'c Stem<'t>> + Clone + use<'c, 't> {
        let relevant = self.relevant;
        self.stems(&self.given.distinct)
            .filter(move |stem| relevant.includes(stem))
    }

    fn coverage(&mut self) {
        let wanted = mass(self.wanted());
        let covered = mass(self.wanted().filter(|stem| has(stem)));
        let like: f64 = self
            .wanted()
            .map(|stem| stem.idf * if has(stem) { 1.0 } else { stem.likeness })
            .sum();
        self.signals.set(Signal::Uncovered, 1.0 - share(covered, wanted, 1.0));
        self.signals.set(Signal::Thin, 1.0 - 3.0 * share(covered, wanted, 0.0));
        self.signals.set(Signal::Unlike, 1.0 - share(like, wanted, 1.0));
        let content = || self.stems(&self.reference.distinct).filter(|stem| !stem.function);
        let shared = share(
            mass(content().filter(|stem| has(stem))),
            mass(content()),
            1.0 - self.signals.get(Signal::Uncovered),
        );
        self.signals.set(Signal::Unshared, 1.0 - shared);
        let asked = || {
            self.stems(&self.reference.distinct)
                .filter(|stem| stem.asked && !stem.function)
        };
        let unasked = share(mass(asked().filter(|stem| !has(stem))), mass(asked()), 0.0);
        self.signals.set(Signal::Unasked, unasked);
        let offered = mass(self.offered());
        let backed = mass(self.offered().filter(|stem| stem.reference.any() || stem.misspelt));
        self.signals.set(Signal::Beyond, 1.0 - share(backed, offered, 0.0));
        self.signals.set(Signal::Echo, f64::from(offered == 0.0));
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

    /// What comes first: in a good answer the matter itself.
    fn beginning(&mut self) {
        let early = |profile: &'c Profile<'t>| -> f64 {
            let mut seen = Vec::with_capacity(BEGINNING);
            for id in profile
                .content
                .iter()
                .filter(|id| self.relevant.includes(self.stems.get(**id)))
                .take(BEGINNING)
            {
                let stem = self.stems.get(*id);
                if (stem.reference.any() || stem.misspelt) && !seen.contains(id) {
                    seen.push(*id);
                }
            }
            mass(seen.iter().map(|id| self.stems.get(*id)))
        };
        let (own, given) = (early(self.reference), early(self.given));
        self.signals.set(Signal::Late, share(own - given, own, 0.0));
        let mut first = self
            .given
            .content
            .iter()
            .map(|id| self.stems.get(*id))
            .filter(|stem| self.relevant.includes(stem))
            .take(3);
        self.signals.set(
            Signal::Astray,
            f64::from(!first.any(|stem| stem.reference.any() || stem.misspelt)),
        );
    }

    /// The best single sentence of a text, as a share of the reference's words that count.
    fn sentences(&mut self) {
        let best = |profile: &Profile<'t>| -> f64 {
            let mut seen = FxHashSet::default();
            let (mut best, mut sum, mut sentence) = (0.0_f64, 0.0, 0);
            for (word, id) in profile.text.words.iter().zip(&profile.ids) {
                if word.sentence != sentence {
                    (sum, sentence) = (0.0, word.sentence);
                    seen.clear();
                }
                let stem = self.stems.get(*id);
                if stem.reference.any() && self.relevant.includes(stem) && seen.insert(*id) {
                    sum += stem.idf;
                    best = best.max(sum);
                }
            }
            best
        };
        let (own, given) = (best(self.reference), best(self.given));
        self.signals.set(Signal::Dispersed, share(own - given, own, 0.0));
    }

    fn order(&mut self) {
        let sought = self.reference.content.as_slice();
        let pairs = sought.windows(2).map(|pair| (pair[0], pair[1]));
        let kept = pairs.clone().filter(|pair| self.answer.pairs.contains(pair)).count();
        let all = sought.len().saturating_sub(1) as f64;
        let parted = 1.0
            - share(
                kept as f64,
                all,
                f64::from(sought.first().is_some_and(|id| self.stems.get(*id).answer.any())),
            );
        let contained = parted == 0.0
            && (sought.len() > LONGEST_SOUGHT
                || self
                    .given
                    .content
                    .windows(sought.len().max(1))
                    .any(|window| window == sought));
        let (mut turned, mut both) = (0.0, 0.0);
        for (left, right) in pairs.filter(|(left, right)| left != right) {
            let (left, right) = (self.stems.get(left), self.stems.get(right));
            if left.answer.any() && right.answer.any() {
                both += 1.0;
                turned +=
                    f64::from(right.answer.last < left.answer.first && left.reference.last < right.reference.first);
            }
        }
        let (frames, framed) = (&self.answer.frames, &self.answer.framed);
        let substituted = self
            .reference
            .framed()
            .filter(|triple| frames.contains(&(triple.0, triple.2)) && !framed.contains(triple));
        self.signals.set(Signal::Substituted, substituted.count() as f64 / 2.0);
        self.signals.set(Signal::Parted, parted);
        self.signals.set(Signal::Scattered, f64::from(!contained));
        self.signals.set(Signal::Reversed, share(turned, both, 0.0));
    }

    fn names(&mut self) {
        let names = || self.wanted().filter(|stem| stem.reference_name);
        self.signals.set(
            Signal::NamesMissing,
            share(mass(names().filter(|stem| !has(stem))), mass(names()), 0.0),
        );
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
            if self.answer.number_asked { missing } else { 0.0 },
        );
    }

    fn polarity(&mut self) {
        let shared = self
            .stems(&self.reference.distinct)
            .filter(|stem| !stem.function && stem.answer.any());
        let turned = shared.clone().filter(|stem| stem.answer.contradicts(&stem.reference));
        self.signals.set(Signal::Flipped, turned.clone().count() as f64 / 3.0);
        self.signals
            .set(Signal::Polarity, share(mass(turned), mass(shared), 0.0));
        let difference = self.given.negations.abs_diff(self.reference.negations);
        self.signals.set(Signal::Negations, f64::from(difference) / 2.0);
        let opposite = self
            .stems(&self.reference.distinct)
            .filter(|stem| !stem.answer.any())
            .any(|stem| {
                opposites::of(stem.text)
                    .iter()
                    .filter_map(|other| self.stems.find(other))
                    .any(|other| other.answer.any() && is_foreign(other))
            });
        self.signals.set(Signal::Opposite, f64::from(opposite));
    }

    /// How each text stands to the question: yes, no, not sure, no answer.
    fn stance(&mut self) {
        let clash = match (self.reference.opening, self.given.opening) {
            (Some(reference), Some(answer)) => f64::from(reference != answer),
            (Some(_), None) => 0.5,
            (None, _) => 0.0,
        };
        self.signals.set(Signal::Clash, clash);
        self.signals
            .set(Signal::Refusal, self.given.refuses - self.reference.refuses);
        self.signals
            .set(Signal::Certain, f64::from(self.reference.hedges && !self.given.hedges));
        self.signals.set(
            Signal::Uncertain,
            f64::from(self.given.hedges && !self.reference.hedges),
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
        self.signals.set(Signal::Short, 1.0 - given / own);
        let piece = (1.0 - self.signals.get(Signal::Beyond)) * (1.0 - 2.0 * given / own);
        self.signals.set(Signal::Fragment, piece);
        let natural = if given >= 12.0 && given > 2.0 * own {
            NATURAL_FUNCTION_SHARE
        } else {
            NATURAL_FUNCTION_SHARE.min(self.reference.function_share)
        };
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

/// The answer has this word of the reference, perhaps misspelt.
fn has(stem: &Stem<'_>) -> bool {
    stem.answer.any() || stem.misspelt
}

/// Neither the reference nor the question has this word of the answer.
fn is_foreign(stem: &Stem<'_>) -> bool {
    !stem.reference.any() && !stem.asked && !stem.misspelt
}
