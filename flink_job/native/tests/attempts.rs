//! The rule for the attempts of one request holds whatever is lost, late, repeated, or scored by another scorer.

#![expect(clippy::unwrap_used, reason = "what cannot be fails the test")]

use std::collections::BTreeMap;

use contracts::message::{Answer, PreviousAttempt};
use contracts::value::Score;
use cotejo_native::attempts::{Action, Attempt, Judged, Rules, State, decide};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const TODAY: &str = "today";
const MAX_ATTEMPTS: u32 = 3;
const THRESHOLD: f64 = 0.65;

fn score(value: f64) -> Score {
    Score::try_from(value).unwrap()
}

fn rules(max_attempts: u32) -> Rules {
    Rules {
        threshold: score(THRESHOLD),
        max_attempts,
        scorer: TODAY.into(),
    }
}

/// Today's scorer: an answer is the score that it gives.
fn judge(answer: &str) -> Judged {
    Judged {
        scorer: Some(TODAY.into()),
        ..by_another(answer.parse().unwrap())
    }
}

fn by_another(value: f64) -> Judged {
    Judged {
        score: score(value),
        scorer: None,
        signals: BTreeMap::new(),
        unsure: false,
    }
}

fn attempt(attempts: u32, value: f64) -> Attempt {
    let answer = Answer {
        model: Some("m".into()),
        ..Answer::of_text(value.to_string())
    };
    Attempt {
        attempts,
        judged: judge(&answer.llm_answer),
        answer,
    }
}

fn previous(attempt: &Attempt) -> PreviousAttempt {
    PreviousAttempt {
        llm_answer: attempt.answer.llm_answer.clone(),
        score: attempt.judged.score,
        attempts: attempt.attempts,
        scorer: attempt.judged.scorer.clone(),
        finish_reason: None,
    }
}

fn step(state: State, this: Attempt, previous: Option<PreviousAttempt>) -> (State, Action) {
    decide(state, this, previous, &rules(MAX_ATTEMPTS), judge)
}

fn is_verdict(action: Action) -> bool {
    matches!(action, Action::Accept | Action::Exhaust)
}

fn best(attempts: &[Attempt]) -> &Attempt {
    attempts
        .iter()
        .reduce(|best, next| {
            if next.judged.score > best.judged.score {
                next
            } else {
                best
            }
        })
        .unwrap()
}

fn numbers(state: &State) -> Vec<u32> {
    state.history.iter().map(|line| line.attempts).collect()
}

/// The attempts that a model makes of one question: until one passes, or none is left.
fn requests() -> impl Strategy<Value = Vec<Attempt>> {
    let failing = prop::collection::vec(0.0..THRESHOLD, 0..=MAX_ATTEMPTS as usize);
    (failing, THRESHOLD..=1.0).prop_map(|(mut scores, passing)| {
        if scores.len() < MAX_ATTEMPTS as usize {
            scores.push(passing);
        }
        (1..)
            .zip(scores)
            .map(|(number, value)| attempt(number, value))
            .collect()
    })
}

proptest! {
    #[test]
    fn any_order_and_any_repetition_gives_one_verdict_with_the_best_score(
        (attempts, order) in requests().prop_flat_map(|attempts| {
            let numbers: Vec<usize> = (0..attempts.len()).collect();
            let repeats = prop::collection::vec(select(numbers.clone()), 0..10);
            let order = repeats.prop_flat_map(move |repeats| {
                Just([numbers.clone(), repeats].concat()).prop_shuffle()
            });
            (Just(attempts), order)
        })
    ) {
        let (mut stored, mut verdicts, mut regenerations) = (State::default(), Vec::new(), 0);
        for index in order {
            let before = (index > 0).then(|| previous(best(&attempts[..index])));
            let read = State::from_json(Some(&stored.to_json().unwrap())).unwrap();
            prop_assert_eq!(&read, &stored);
            let (state, action) = step(read, attempts[index].clone(), before);
            regenerations += u32::from(action == Action::Regenerate);
            stored = if is_verdict(action) { State::tombstone() } else { state.clone() };
            if is_verdict(action) {
                verdicts.push((action, state));
            }
        }
        prop_assert!(regenerations < MAX_ATTEMPTS);
        prop_assert_eq!(verdicts.len(), 1);
        let (action, state) = &verdicts[0];
        let (kept, wanted) = (state.best.as_ref().unwrap(), best(&attempts));
        prop_assert_eq!((kept.attempts, kept.judged.score), (wanted.attempts, wanted.judged.score));
        let passed = kept.judged.score >= score(THRESHOLD);
        prop_assert_eq!(*action, if passed { Action::Accept } else { Action::Exhaust });
    }

    #[test]
    fn attempts_in_their_order_are_each_followed_by_the_next(attempts in requests()) {
        let mut state = State::default();
        for (index, this) in attempts.iter().enumerate() {
            let (next, action) = step(state, this.clone(), None);
            prop_assert_eq!(next.attempts(), this.attempts);
            prop_assert_eq!(action == Action::Regenerate, index + 1 < attempts.len());
            state = next;
        }
        prop_assert_eq!(numbers(&state), (1..=attempts.len() as u32).collect::<Vec<_>>());
    }

    #[test]
    fn a_score_of_another_scorer_decides_nothing(
        attempts in requests(), other in 0.0..=1.0, at in any::<Index>(), from_state in any::<bool>(),
    ) {
        // An earlier attempt, in state or in the message, with a score that another scorer gave it.
        let (last, earlier) = attempts.split_last().unwrap();
        prop_assume!(!earlier.is_empty());
        let foreign = Attempt { judged: by_another(other), ..at.get(earlier).clone() };
        let (state, told) = if from_state {
            (State::default().with_attempt(foreign.clone()), None)
        } else {
            (State::default(), Some(previous(&foreign)))
        };
        let (state, action) = step(state, last.clone(), told);
        let kept = state.best.clone().unwrap();
        prop_assert_eq!(&kept.judged, &judge(&kept.answer.llm_answer));
        let (wanted, _) = step(State::default(), last.clone(), Some(previous(at.get(earlier))));
        prop_assert_eq!(kept.attempts, wanted.best.unwrap().attempts);
        prop_assert_eq!(action == Action::Accept, last.judged.score >= score(THRESHOLD));
        prop_assert_eq!(&state.history[0].scorer, &None);
        prop_assert_eq!(state.history[0].score, score(other));
    }
}

#[test]
fn nothing_follows_a_verdict() {
    let (state, action) = step(State::tombstone(), attempt(2, 0.9), None);
    assert_eq!((state, action), (State::tombstone(), Action::Drop));
}

#[test]
fn a_lost_state_is_rebuilt_from_what_the_message_tells_of_earlier_attempts() {
    let (state, action) = step(State::default(), attempt(3, 0.1), Some(previous(&attempt(1, 0.5))));
    assert_eq!(action, Action::Exhaust);
    assert_eq!(state.best.as_ref().unwrap().attempts, 1);
    assert_eq!(numbers(&state), [1, 3]);
}

#[test]
fn the_larger_of_state_and_message_counts() {
    let (state, _) = step(State::default(), attempt(1, 0.5), None);
    assert_eq!(step(state, attempt(7, 0.1), None).1, Action::Exhaust);
}

#[test]
fn of_equal_attempts_the_earlier_is_kept() {
    let (state, _) = step(State::default(), attempt(2, 0.5), None);
    let (state, _) = step(state, attempt(1, 0.5), None);
    assert_eq!(state.best, Some(attempt(1, 0.5)));
}

#[test]
fn one_allowed_attempt_is_the_last() {
    let only = |value| decide(State::default(), attempt(1, value), None, &rules(1), judge).1;
    assert_eq!(only(0.1), Action::Exhaust);
    assert_eq!(only(THRESHOLD), Action::Accept);
}

#[test]
fn a_state_of_before_there_were_signals_is_read() {
    let text = r#"{"history":[{"attempts":1,"score":0.5,"model":"m"}],"best":{"attempts":1,"score":0.5,
        "answer":{"llm_answer":"0.7","model":"m","usage":{"input_tokens":1,"output_tokens":2},"calls":1}},
        "decided":false}"#;
    let state = State::from_json(Some(text)).unwrap();
    assert_eq!(state.best.as_ref().unwrap().judged, by_another(0.5));
    let (state, action) = step(state, attempt(2, 0.1), None);
    assert_eq!(action, Action::Accept);
    assert_eq!(state.best.unwrap().judged, judge("0.7"));
    let tombstone = r#"{"history":[],"best":null,"decided":true}"#;
    assert_eq!(State::from_json(Some(tombstone)).unwrap(), State::tombstone());
    assert_eq!(State::tombstone().to_json().unwrap(), tombstone);
}
