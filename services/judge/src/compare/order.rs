//! Where words stand: their order, their sentences, what stands in a word's place.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Comparison, Relevant, is_foreign, lacking, mass};
use crate::profile::{Profile, share};
use crate::signal::Signal;

/// Longer references are not looked for word for word, only pair by pair.
const LONGEST_SOUGHT: usize = 64;
/// Of an answer of so many words nothing is expected word for word.
const LONG_ANSWER: f64 = 60.0;
/// So many different words between the same neighbours are remembered.
const MOST_MIDDLES: usize = 8;

/// What stands between two neighbours; more than one, so that an added sentence hides nothing.
pub(super) fn frames(profile: &Profile<'_>) -> FxHashMap<(u32, u32), Vec<u32>> {
    let mut frames = FxHashMap::<_, Vec<u32>>::default();
    for (left, middle, right) in profile.framed() {
        let middles = frames.entry((left, right)).or_default();
        if middles.len() < MOST_MIDDLES && !middles.contains(&middle) {
            middles.push(middle);
        }
    }
    frames
}

impl Comparison<'_, '_> {
    /// Whether the reference stands in the answer, word for word or at least in its order.
    pub(super) fn order(&mut self) {
        let (sought, within) = match self.relevant {
            Relevant::Any => (&self.reference.ids, &self.given.ids),
            _ => (&self.reference.content, &self.given.content),
        };
        // A sentence's end parts its neighbours: the order of sentences is free.
        let pairs = self.reference.pairs();
        let kept = pairs
            .clone()
            .filter(|pair| self.answer.pairs.contains_key(pair))
            .count();
        let first = sought.first().is_some_and(|id| self.stems.get(*id).answer.any());
        let parted = 1.0 - share(kept as f64, pairs.clone().count() as f64, f64::from(first));
        let contained = parted == 0.0
            && (sought.len() > LONGEST_SOUGHT || within.windows(sought.len().max(1)).any(|window| window == sought));
        let (mut turned, mut both) = (0.0, 0.0);
        for (left, right) in pairs.filter(|(left, right)| left != right) {
            let (left, right) = (self.stems.get(left).answer, self.stems.get(right).answer);
            if left.any() && right.any() {
                both += 1.0;
                turned += f64::from(right.last < left.first);
            }
        }
        self.signals.set(Signal::Scattered, f64::from(!contained));
        let brevity = 1.0 - (1.0 + self.given.ids.len() as f64).ln() / LONG_ANSWER.ln();
        self.signals.set(Signal::Curt, if contained { 0.0 } else { brevity });
        self.signals.set(Signal::Reversed, share(turned, both, 0.0));
    }

    /// What stands between the same neighbours.
    pub(super) fn places(&mut self) {
        let replaced: FxHashSet<_> = (self.reference.framed())
            .flat_map(|triple| self.replaced(triple))
            .collect();
        let number = |(wanted, other): &(u32, u32)| {
            self.stems.get(*wanted).reference_number && self.stems.get(*other).answer_number
        };
        let substituted = replaced.iter().any(number);
        let exchanged = replaced
            .iter()
            .any(|(wanted, other)| replaced.contains(&(*other, *wanted)));
        self.signals.set(Signal::Substituted, f64::from(substituted));
        self.signals.set(Signal::Exchanged, f64::from(exchanged));
    }

    /// A word of the reference, and those that stand between its neighbours in the answer, where it never does.
    fn replaced(&self, (left, middle, right): (u32, u32, u32)) -> impl Iterator<Item = (u32, u32)> {
        let kept = self.answer.framed.contains(&(left, middle, right));
        let others = self.answer.frames.get(&(left, right)).filter(|_| !kept);
        others.into_iter().flatten().map(move |other| (middle, *other))
    }

    /// What each text says first: there an answer of several sentences has its point.
    pub(super) fn lead(&mut self) {
        let wanted = self.relevant(self.reference.lead());
        let names = wanted.clone().filter(|stem| stem.reference_name);
        let numbers = wanted.clone().filter(|stem| stem.reference_number);
        let offered = self.relevant(self.given.lead());
        let foreign = offered.clone().filter(|stem| !stem.reference.any() && !stem.misspelt);
        self.signals.set(Signal::LeadUncovered, lacking(wanted));
        self.signals.set(Signal::LeadNames, lacking(names));
        self.signals.set(Signal::LeadNumbers, lacking(numbers));
        self.signals
            .set(Signal::LeadBeyond, share(mass(foreign), mass(offered), 0.0));
    }

    /// Sentences about something else.
    pub(super) fn digression(&mut self) {
        let (mut astray, mut all) = (0, 0);
        for sentence in self.given.sentences() {
            all += sentence.len();
            astray += if self.stems(sentence).all(is_foreign) {
                sentence.len()
            } else {
                0
            };
        }
        self.signals
            .set(Signal::Digressing, share(astray as f64, all as f64, 0.0));
    }
}
