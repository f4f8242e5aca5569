//! The answers in memory, and which of those that are known may serve a question.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contracts::message::QuestionMessage;
use contracts::value::{Id, now};
use metrics::{counter, gauge};

use crate::answer::{Judged, ReuseRule, Stale};
use crate::judging::Judging;
use crate::memory::{BoundedMap, Policy};
use crate::models::Models;
use crate::scorers::Scorers;

/// Every answer that this replica knows and may reuse.
pub struct Answers {
    rule: ReuseRule,
    scorers: Arc<Scorers>,
    models: Arc<Models>,
    judging: Judging,
    memory: Mutex<Memory>,
}

impl Answers {
    /// No answers yet.
    pub fn new(policy: Policy, size: usize, rule: ReuseRule, scorers: Arc<Scorers>, models: Arc<Models>) -> Self {
        Self {
            judging: Judging::new(rule.threshold, size),
            rule,
            scorers,
            models,
            memory: Mutex::new(Memory(BoundedMap::new(policy, size))),
        }
    }

    /// The answer in memory that may serve `question`; counted as a look-up.
    pub async fn look_up(&self, question: &QuestionMessage) -> Option<Arc<Judged>> {
        let (is_known, reusable) = self.recall(question).await;
        count("memory", is_known, reusable.is_some());
        reusable
    }

    /// The answer in memory that may serve `question`; a stale one is forgotten.
    pub async fn in_memory(&self, question: &QuestionMessage) -> Option<Arc<Judged>> {
        self.recall(question).await.1
    }

    /// Whether there is an answer in memory, and the same if it may serve `question`.
    async fn recall(&self, question: &QuestionMessage) -> (bool, Option<Arc<Judged>>) {
        let question_id = &question.identity.question_id;
        let Some(found) = self.memory().get(question_id) else {
            return (false, None);
        };
        // Judging again takes its time: the lock is free meanwhile.
        let reusable = self.reusable(&found, question).await;
        match &reusable {
            Ok(answer) if Arc::ptr_eq(answer, &found) => {}
            // It stays until its scorer is here.
            Err(Stale::OtherScorer) => {}
            news => self.memory().replace(question_id, &found, news.as_ref().ok()),
        }
        (true, reusable.ok())
    }

    /// The newest of the answers that MongoDB holds that may serve `question`; memory keeps it.
    pub async fn among_stored(&self, stored: &[Arc<Judged>], question: &QuestionMessage) -> Option<Arc<Judged>> {
        stored.iter().for_each(|answer| self.scorers.see(answer));
        let mut newest_first: Vec<_> = stored.iter().collect();
        newest_first.sort_by_key(|answer| Reverse(answer.decided_at));
        let mut reusable = None;
        for answer in newest_first {
            reusable = self.reusable(answer, question).await.ok();
            if reusable.is_some() {
                break;
            }
        }
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

    /// The answer that a twin of `question` got, accepted or not, with the verdict of today's scorer. The model was
    /// asked for it just now, so its settings do not matter.
    pub async fn shared(&self, answer: &Arc<Judged>, question: &QuestionMessage) -> Option<Arc<Judged>> {
        if !answer.question.has_references_of(&question.question) {
            return None;
        }
        match self.scorers.today() {
            Some(today) if answer.scorer.as_deref() != Some(&*today.hash) => {
                self.judging.judge(&today, &question.identity.question_id, answer).await
            }
            _ => Some(Arc::clone(answer)),
        }
    }

    /// The answer if it may serve `question`, with the verdict of today's scorer.
    pub async fn reusable(&self, answer: &Arc<Judged>, question: &QuestionMessage) -> Result<Arc<Judged>, Stale> {
        let today = self.scorers.today();
        let scorer = today.as_ref().map(|today| &*today.hash);
        let wanted = self.models.wanted();
        let check = |answer: &Judged| self.rule.check(answer, &question.question, &wanted, scorer, now());
        match (check(answer), &today) {
            (Err(Stale::OtherScorer), Some(today)) => {
                let question_id = &question.identity.question_id;
                if self.judging.has_rejected(today, question_id, answer) {
                    return Err(Stale::TooLow);
                }
                let again = self.judging.judge(today, question_id, answer).await;
                let again = again.ok_or(Stale::OtherScorer)?;
                check(&again).map(|()| again)
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

    use contracts::message::Confidence;
    use contracts::value::Score;

    use super::*;
    use crate::test_support::{FewScorers, answer, artefact, by_today, models, question, settings};

    fn answers() -> Answers {
        answers_by(models())
    }

    fn answers_by(models: Arc<Models>) -> Answers {
        let rule = ReuseRule {
            threshold: Score::try_from(0.65).unwrap(),
            ttl: Duration::from_secs(3600),
        };
        Answers::new(Policy::Lru, 10, rule, Arc::default(), models)
    }

    /// Lets a new scorer be today's; gives its name.
    async fn upgrade(answers: &Answers) -> String {
        let (text, hash) = artefact();
        answers.scorers.refresh(&FewScorers::new(&hash, Some(&text))).await;
        hash
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

    #[tokio::test]
    async fn an_answer_of_another_scorer_is_stale_until_that_of_today_is_here() {
        let answers = answers();
        let question = question("m", "q");
        learn(&answers, &answer(0.9).into(), "q");
        assert!(answers.in_memory(&question).await.is_some());
        learn(&answers, &verdict("s2"), "other");
        assert_eq!(answers.in_memory(&question).await, None);
        assert_eq!(answers.among_stored(&[answer(0.9).into()], &question).await, None);
        // An older verdict, read late, does not bring its scorer back; a newer one does.
        learn(&answers, &answer(0.1).into(), "other");
        assert_eq!(answers.in_memory(&question).await, None);
        learn(&answers, &verdict("s1"), "other");
        assert!(answers.in_memory(&question).await.is_some());
    }

    #[tokio::test]
    async fn nothing_is_reused_until_the_settings_in_force_are_known_but_twins_share() {
        let models = Arc::new(Models::new(false));
        let answers = answers_by(Arc::clone(&models));
        let question = question("m", "q");
        let known = Arc::new(answer(0.9));
        learn(&answers, &known, "q");
        assert_eq!(answers.in_memory(&question).await, None);
        assert_eq!(answers.among_stored(&[Arc::clone(&known)], &question).await, None);
        assert!(answers.shared(&known, &question).await.is_some());
        models.learn(Some(settings("m1")));
        assert!(answers.among_stored(&[known], &question).await.is_some());
        assert!(answers.in_memory(&question).await.is_some());
    }

    #[tokio::test]
    async fn after_a_change_of_settings_no_earlier_answer_is_reused_unless_any_model_will_do() {
        let (one, any) = (models(), Arc::new(Models::new(true)));
        let question = question("m", "q");
        for (models, is_reused) in [(one, false), (any, true)] {
            let answers = answers_by(Arc::clone(&models));
            let known = Arc::new(answer(0.9));
            learn(&answers, &known, "q");
            models.learn(Some(settings("m2")));
            assert_eq!(answers.in_memory(&question).await.is_some(), is_reused);
            let stored = answers.among_stored(&[known], &question).await;
            assert_eq!(stored.is_some(), is_reused);
        }
    }

    #[tokio::test]
    async fn an_answer_of_another_scorer_is_judged_again_by_that_of_today() {
        let answers = answers();
        let (right, wrong) = (question("m", "right"), question("m", "wrong"));
        let same_as_reference = Judged {
            answer: by_today(&right.question.best_answer),
            ..answer(0.7)
        };
        let off_topic = Judged {
            answer: by_today("Elephants never forget where the water was."),
            ..answer(0.9)
        };
        learn(&answers, &same_as_reference.into(), "right");
        learn(&answers, &off_topic.into(), "wrong");
        let hash = upgrade(&answers).await;

        let again = answers.in_memory(&right).await.unwrap();
        assert_eq!((again.scorer.as_deref(), again.accepted), (Some(&*hash), true));
        assert!(again.score.get() > 0.7 && again.signals.is_some());
        assert_eq!(again.confidence, Some(Confidence::Sure));
        let kept = answers.in_memory(&right).await.unwrap();
        assert!(Arc::ptr_eq(&again, &kept), "it is judged again once");
        assert_eq!(answers.in_memory(&wrong).await, None);
        assert_eq!(
            answers.memory().0.len(),
            1,
            "what is below the threshold now is forgotten"
        );
    }

    #[tokio::test]
    async fn an_answer_that_todays_scorer_rejects_is_judged_again_once_wherever_it_is_found() {
        let answers = answers();
        let question = question("m", "q");
        let hash = upgrade(&answers).await;
        let off_topic = |text: &str| {
            Arc::new(Judged {
                answer: by_today(text),
                ..answer(0.9)
            })
        };
        let (poor, same) = (
            off_topic("Elephants never forget."),
            off_topic("Elephants never forget."),
        );
        let today = answers.scorers.today().unwrap();
        let is_rejected = |answer| {
            let question_id = &question.identity.question_id;
            answers.judging.has_rejected(&today, question_id, answer)
        };
        assert!(!is_rejected(&poor));
        assert_eq!(answers.among_stored(&[Arc::clone(&poor)], &question).await, None);
        assert!(is_rejected(&poor));
        assert_eq!(answers.among_stored(&[poor], &question).await, None);
        // A twin shares it all the same.
        let shared = answers.shared(&same, &question).await.unwrap();
        assert_eq!((shared.scorer.as_deref(), shared.accepted), (Some(&*hash), false));
    }

    #[tokio::test]
    async fn a_large_answer_is_judged_again_too() {
        let answers = answers();
        let question = question("m", "q");
        let hash = upgrade(&answers).await;
        let large = Judged {
            answer: by_today(&"Because of the air. ".repeat(1000)),
            ..answer(0.9)
        };
        let shared = answers.shared(&large.into(), &question).await.unwrap();
        assert_eq!(shared.scorer.as_deref(), Some(&*hash));
    }

    #[tokio::test]
    async fn what_another_scorer_rejected_may_serve_if_that_of_today_accepts_it() {
        let answers = answers();
        let question = question("m", "q");
        let hash = upgrade(&answers).await;
        let rejected = Arc::new(Judged {
            answer: by_today(&question.question.best_answer),
            accepted: false,
            ..answer(0.2)
        });
        let found = answers
            .among_stored(&[verdict(&hash), rejected], &question)
            .await
            .unwrap();
        assert_eq!((found.scorer.as_deref(), found.accepted), (Some(&*hash), true));
        assert_eq!(answers.in_memory(&question).await, Some(found));
    }

    #[tokio::test]
    async fn the_newest_reusable_stored_answer_is_taken_and_kept_in_memory() {
        let answers = answers();
        let question = question("m", "q");
        let newer = Arc::new(Judged {
            answer: by_today("newer"),
            decided_at: now(),
            ..answer(0.8)
        });
        let found = answers
            .among_stored(&[answer(0.9).into(), Arc::clone(&newer)], &question)
            .await;
        assert_eq!(found.as_ref(), Some(&newer));
        assert_eq!(answers.in_memory(&question).await, Some(newer));
    }
}
