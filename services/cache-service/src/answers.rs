//! The answers in memory, and which of those that are known may serve a question.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contracts::message::QuestionMessage;
use contracts::value::{Id, now};
use metrics::{counter, gauge};

use crate::answer::{Judged, ReuseRule, Stale};
use crate::memory::{BoundedMap, Policy};
use crate::scorers::{Scorers, Today};

/// Every answer that this replica knows and may reuse.
pub struct Answers {
    rule: ReuseRule,
    scorers: Arc<Scorers>,
    memory: Mutex<Memory>,
}

impl Answers {
    /// No answers yet.
    pub fn new(policy: Policy, size: usize, rule: ReuseRule, scorers: Arc<Scorers>) -> Self {
        Self {
            rule,
            scorers,
            memory: Mutex::new(Memory(BoundedMap::new(policy, size))),
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
        let question_id = &question.identity.question_id;
        let Some(found) = self.memory().get(question_id) else {
            return (false, None);
        };
        // Judging again takes its time: the lock is free meanwhile.
        let reusable = self.reusable(&found, question);
        match &reusable {
            Ok(answer) if Arc::ptr_eq(answer, &found) => {}
            // It stays until its scorer is here.
            Err(Stale::OtherScorer) => {}
            news => self.memory().replace(question_id, &found, news.as_ref().ok()),
        }
        (true, reusable.ok())
    }

    /// The newest of the answers that MongoDB holds that may serve `question`; memory keeps it.
    pub fn among_stored(&self, stored: &[Arc<Judged>], question: &QuestionMessage) -> Option<Arc<Judged>> {
        stored.iter().for_each(|answer| self.scorers.see(answer));
        let mut newest_first: Vec<_> = stored.iter().collect();
        newest_first.sort_by_key(|answer| Reverse(answer.decided_at));
        let reusable = newest_first
            .into_iter()
            .find_map(|answer| self.reusable(answer, question).ok());
        count("mongodb", !stored.is_empty(), reusable.is_some());
        self.memory().keep(&question.identity.question_id, reusable.as_ref()?);
        reusable
    }

    /// Learns from a verdict, whichever replica asked for it.
    pub fn observe(&self, question_id: &Id, answer: &Arc<Judged>) {
        self.scorers.see(answer);
        if answer.accepted && answer.score >= self.rule.threshold {
            self.memory().keep(question_id, answer);
        }
    }

    /// The answer if it may serve `question`, with the verdict of today's scorer.
    fn reusable(&self, answer: &Arc<Judged>, question: &QuestionMessage) -> Result<Arc<Judged>, Stale> {
        let today = self.scorers.today();
        let scorer = today.as_ref().map(Today::hash);
        let check = |answer: &Judged| self.rule.check(answer, &question.question, scorer, now());
        match (check(answer), &today) {
            (Err(Stale::OtherScorer), Some(today)) => {
                let again = today.judge(answer, self.rule.threshold).ok_or(Stale::OtherScorer)?;
                counter!("cache_judged_again_total").increment(1);
                check(&again).map(|()| Arc::new(again))
            }
            (checked, _) => checked.map(|()| Arc::clone(answer)),
        }
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

/// Answers by question.
struct Memory(BoundedMap<Id, Arc<Judged>>);

impl Memory {
    /// The largest answer that is kept, with its question: memory is bounded by this times
    /// CACHE_SIZE. Larger ones are found in MongoDB.
    const MOST_BYTES: usize = 16 << 10;

    fn get(&mut self, question_id: &Id) -> Option<Arc<Judged>> {
        self.0.get(question_id).cloned()
    }

    fn keep(&mut self, question_id: &Id, answer: &Arc<Judged>) {
        if answer.size() > Self::MOST_BYTES {
            return self.forget(question_id);
        }
        self.0.insert(question_id.clone(), Arc::clone(answer));
        gauge!("cache_entries").set(self.0.len() as f64);
    }

    /// Puts `new` in the place of `old`, unless a verdict was quicker.
    fn replace(&mut self, question_id: &Id, old: &Arc<Judged>, new: Option<&Arc<Judged>>) {
        if self.get(question_id).is_some_and(|kept| Arc::ptr_eq(&kept, old)) {
            match new {
                Some(new) => self.keep(question_id, new),
                None => self.forget(question_id),
            }
        }
    }

    fn forget(&mut self, question_id: &Id) {
        self.0.remove(question_id);
        gauge!("cache_entries").set(self.0.len() as f64);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use contracts::message::{Answer, Confidence};
    use contracts::value::Score;
    use futures::FutureExt as _;

    use super::*;
    use crate::test_support::{answer, artefact, question};

    /// With the artefacts that MongoDB has.
    fn answers(artefacts: &[&str]) -> Answers {
        let rule = ReuseRule {
            threshold: Score::try_from(0.65).unwrap(),
            ttl: Duration::from_secs(3600),
        };
        let artefacts: Vec<String> = artefacts.iter().map(|&text| text.to_owned()).collect();
        let scorers = Scorers::fetching(move |hash| {
            let found = artefacts.iter().find(|text| text.contains(&*hash)).cloned();
            async move { found }.boxed()
        });
        Answers::new(Policy::Lru, 10, rule, scorers.into())
    }

    /// A verdict of another question by a scorer, now.
    fn verdict(scorer: &str) -> Arc<Judged> {
        Arc::new(Judged {
            accepted: false,
            scorer: Some(scorer.into()),
            decided_at: now(),
            ..answer(0.1)
        })
    }

    fn learn(answers: &Answers, answer: &Arc<Judged>, question_id: &str) {
        answers.observe(&question("m", question_id).identity.question_id, answer);
    }

    /// Waits until answers can be judged again by today's scorer.
    async fn scorer_is_here(answers: &Answers) {
        let threshold = answers.rule.threshold;
        while answers
            .scorers
            .today()
            .unwrap()
            .judge(&answer(0.1), threshold)
            .is_none()
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn an_answer_of_another_scorer_is_stale_until_that_of_today_is_here() {
        let answers = answers(&[]);
        let question = question("m", "q");
        learn(&answers, &answer(0.9).into(), "q");
        assert!(answers.in_memory(&question).is_some());
        learn(&answers, &verdict("s2"), "other");
        assert_eq!(answers.in_memory(&question), None);
        assert_eq!(answers.among_stored(&[answer(0.9).into()], &question), None);
        // An older verdict, read late, does not bring its scorer back; a newer one does.
        learn(&answers, &answer(0.1).into(), "other");
        assert_eq!(answers.in_memory(&question), None);
        learn(&answers, &verdict("s1"), "other");
        assert!(answers.in_memory(&question).is_some());
    }

    #[tokio::test]
    async fn an_answer_of_another_scorer_is_judged_again_by_that_of_today() {
        let (text, hash) = artefact();
        let answers = answers(&[&text]);
        let (right, wrong) = (question("m", "right"), question("m", "wrong"));
        let same_as_reference = Judged {
            answer: Answer::of_text(right.question.best_answer.clone()),
            ..answer(0.7)
        };
        let off_topic = Judged {
            answer: Answer::of_text("Elephants never forget where the water was.".into()),
            ..answer(0.9)
        };
        learn(&answers, &same_as_reference.into(), "right");
        learn(&answers, &off_topic.into(), "wrong");
        learn(&answers, &verdict(&hash), "other");
        scorer_is_here(&answers).await;

        let again = answers.in_memory(&right).unwrap();
        assert_eq!((again.scorer.as_deref(), again.accepted), (Some(&*hash), true));
        assert!(again.score.get() > 0.7 && again.signals.is_some());
        assert_eq!(again.confidence, Some(Confidence::Sure));
        let kept = answers.in_memory(&right).unwrap();
        assert!(Arc::ptr_eq(&again, &kept), "it is judged again once");
        assert_eq!(answers.in_memory(&wrong), None);
        assert_eq!(
            answers.memory().0.len(),
            1,
            "what is below the threshold now is forgotten"
        );
    }

    #[tokio::test]
    async fn what_another_scorer_rejected_may_serve_if_that_of_today_accepts_it() {
        let (text, hash) = artefact();
        let answers = answers(&[&text]);
        let question = question("m", "q");
        learn(&answers, &verdict(&hash), "other");
        scorer_is_here(&answers).await;
        let rejected = Arc::new(Judged {
            answer: Answer::of_text(question.question.best_answer.clone()),
            accepted: false,
            ..answer(0.2)
        });
        let found = answers.among_stored(&[verdict(&hash), rejected], &question).unwrap();
        assert_eq!((found.scorer.as_deref(), found.accepted), (Some(&*hash), true));
        assert_eq!(answers.in_memory(&question), Some(found));
    }

    #[tokio::test]
    async fn the_newest_reusable_stored_answer_is_taken_and_kept_in_memory() {
        let answers = answers(&[]);
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
