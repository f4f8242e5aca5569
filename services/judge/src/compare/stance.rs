//! What each text affirms and denies, and how it stands to the question.

use rustc_hash::FxHashMap;

use super::{Comparison, is_foreign, mass};
use crate::opposites;
use crate::profile::{Profile, share};
use crate::signal::Signal;

/// Neighbouring content words, and whether they are negated: in some places yes, in some no, is neither.
pub(super) type Stated = FxHashMap<(u32, u32), Option<bool>>;

/// Of every pair of neighbours in a text.
pub(super) fn stated(profile: &Profile<'_>) -> Stated {
    let mut pairs = Stated::default();
    for (pair, negated) in profile.stated() {
        let known = pairs.entry(pair).or_insert(Some(negated));
        *known = known.filter(|known| *known == negated);
    }
    pairs
}

impl Comparison<'_, '_> {
    /// What is negated, denied or the opposite.
    pub(super) fn polarity(&mut self) {
        let shared = self
            .stems(&self.reference.distinct)
            .filter(|stem| !stem.function && stem.answer.any());
        let turned = shared.clone().filter(|stem| stem.answer.contradicts(&stem.reference));
        self.signals
            .set(Signal::Polarity, share(mass(turned), mass(shared), 0.0));
        let denied = stated(self.reference)
            .iter()
            .any(|(pair, negated)| negated.is_some_and(|negated| self.answer.pairs.get(pair) == Some(&Some(!negated))));
        self.signals.set(Signal::Denied, f64::from(denied));
        let difference = self.given.negations.abs_diff(self.reference.negations);
        self.signals.set(Signal::Negations, difference as f64 / 2.0);
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
    pub(super) fn stance(&mut self) {
        let clash = match (self.reference.opening, self.given.opening) {
            (Some(reference), Some(answer)) => f64::from(reference != answer),
            (Some(_), None) => 0.5,
            (None, _) => 0.0,
        };
        self.signals.set(Signal::Clash, clash);
        self.signals
            .set(Signal::Refusal, self.given.refuses - self.reference.refuses);
        self.signals.set(
            Signal::Uncertain,
            f64::from(self.given.hedges && !self.reference.hedges),
        );
    }
}
