//! The answers in memory, and the scorer whose verdicts are trusted today.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contracts::message::QuestionMessage;
use contracts::value::{Id, now};
use jiff::Timestamp;
use metrics::{counter, gauge};

use crate::answer::{Judged, ReuseRule};
use crate::memory::{BoundedMap, Policy};

/// Every answer that this replica knows and may reuse.
pub struct Answers {
    rule: ReuseRule,
    memory: Mutex<Memory>,
}

struct Memory {
    answers: BoundedMap<Id, Arc<Judged>>,
    /// The scorer of the newest verdict seen, and when that fell.
    scorer: Option<(Timestamp, String)>,
}

impl Answers {
    /// No answers yet.
    pub fn new(policy: Policy, size: usize, rule: ReuseRule) -> Self {
        Self {
            rule,
            memory: Mutex::new(Memory {
                answers: BoundedMap::new(policy, size),
                scorer: None,
            }),
        }
    }

    /// The answer in memory that may serve `question`; counted as a look-up.
    pub fn look_up(&self, question: &QuestionMessage) -> Option<Arc<Judged>> {
        let (is_known, reusable) = self.recall(question);
        count("memory", is_known, reusable.is_some());
        reusable
    }

    /// The answer in memory that may serve `question`; a stale one is forgotten.
    pub fn in_memory(&self, question: &QuestionMessage) -> Option<Arc<Judged>> {
        self.recall(question).1
    }

    /// Whether there is an answer in memory, and the same if it may serve `question`.
    fn recall(&self, question: &QuestionMessage) -> (bool, Option<Arc<Judged>>) {
        let mut memory = self.memory();
        let Some(found) = memory.answers.get(&question.identity.question_id).cloned() else {
            return (false, None);
        };
        let reusable = self.newest_reusable(&memory, std::slice::from_ref(&found), question);
        if reusable.is_none() {
            memory.forget(&question.identity.question_id);
        }
        (true, reusable)
    }

    /// The newest of the answers that MongoDB holds that may serve `question`; memory keeps it.
    pub fn among_stored(&self, stored: &[Arc<Judged>], question: &QuestionMessage) -> Option<Arc<Judged>> {
        let mut memory = self.memory();
        stored.iter().for_each(|answer| memory.see_scorer(answer));
        let reusable = self.newest_reusable(&memory, stored, question);
        count("mongodb", !stored.is_empty(), reusable.is_some());
        memory.keep(&question.identity.question_id, reusable.as_ref()?);
        reusable
    }

    /// Learns from a verdict, whichever replica asked for it.
    pub fn observe(&self, question_id: &Id, answer: &Arc<Judged>) {
        let mut memory = self.memory();
        memory.see_scorer(answer);
        if answer.accepted && answer.score >= self.rule.threshold {
            memory.keep(question_id, answer);
        }
    }

    fn newest_reusable(
        &self,
        memory: &Memory,
        found: &[Arc<Judged>],
        question: &QuestionMessage,
    ) -> Option<Arc<Judged>> {
        let scorer = memory.scorer.as_ref().map(|(_, scorer)| scorer.as_str());
        let may_serve = |answer: &&Arc<Judged>| self.rule.check(answer, &question.question, scorer, now()).is_ok();
        found
            .iter()
            .filter(may_serve)
            .max_by_key(|answer| answer.decided_at)
            .cloned()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a look-up: found and of use, found but stale, or not found.
fn count(layer: &'static str, found: bool, reusable: bool) {
    let result = match (found, reusable) {
        (false, _) => "miss",
        (true, false) => "stale",
        (true, true) => "hit",
    };
    counter!("cache_lookups_total", "layer" => layer, "result" => result).increment(1);
}

impl Memory {
    /// The largest answer that is kept, with its question: memory is bounded by this times
    /// CACHE_SIZE. Larger ones are found in MongoDB.
    const MOST_BYTES: usize = 16 << 10;

    fn keep(&mut self, question_id: &Id, answer: &Arc<Judged>) {
        if answer.size() > Self::MOST_BYTES {
            return self.forget(question_id);
        }
        self.answers.insert(question_id.clone(), Arc::clone(answer));
        gauge!("cache_entries").set(self.answers.len() as f64);
    }

    fn forget(&mut self, question_id: &Id) {
        self.answers.remove(question_id);
        gauge!("cache_entries").set(self.answers.len() as f64);
    }

    fn see_scorer(&mut self, answer: &Arc<Judged>) {
        if let Some(scorer) = &answer.scorer
            && self.scorer.as_ref().is_none_or(|(seen, _)| *seen <= answer.decided_at)
        {
            self.scorer = Some((answer.decided_at, scorer.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use contracts::message::Answer;
    use contracts::value::Score;

    use super::*;
    use crate::test_support::{answer, question};

    fn answers() -> Answers {
        let rule = ReuseRule {
            threshold: Score::try_from(0.65).unwrap(),
            ttl: Duration::from_secs(3600),
        };
        Answers::new(Policy::Lru, 10, rule)
    }

    #[test]
    fn a_verdict_of_a_new_scorer_makes_older_answers_stale_and_they_are_forgotten() {
        let answers = answers();
        let (question, other) = (question("m", "q"), question("m", "other"));
        answers.observe(&question.identity.question_id, &answer(0.9).into());
        assert!(answers.in_memory(&question).is_some());
        let rejected = Judged {
            accepted: false,
            scorer: Some("s2".into()),
            decided_at: now(),
            ..answer(0.1)
        };
        answers.observe(&other.identity.question_id, &rejected.into());
        assert_eq!(answers.in_memory(&question), None);
        assert_eq!(answers.memory().answers.len(), 0);
    }

    #[test]
    fn the_newest_reusable_stored_answer_is_taken_and_kept_in_memory() {
        let answers = answers();
        let question = question("m", "q");
        let newer = Arc::new(Judged {
            answer: Answer::of_text("newer".into()),
            decided_at: now(),
            ..answer(0.8)
        });
        let found = answers.among_stored(&[answer(0.9).into(), Arc::clone(&newer)], &question);
        assert_eq!(found.as_ref(), Some(&newer));
        assert_eq!(answers.in_memory(&question), Some(newer));
    }
}
