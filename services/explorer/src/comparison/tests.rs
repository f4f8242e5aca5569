use contracts::message::Verdict::{Accepted, Error, Exhausted};
use tempfile::TempDir;

use super::verdicts::tests::standard;
use super::*;
use crate::index::row::{answer_id, answer_number, key};
use crate::index::writer::Learnt;
use crate::index::{Index, Row, Writer};

/// An outcome of a run, decided at a moment.
pub fn outcome(run: &str, question: &str, moment: i64, score: Option<f64>) -> Row {
    let message_id = format!("{run}-{question}-{moment}");
    let verdict = match score {
        Some(score) if score >= 0.65 => "accepted",
        Some(_) => "exhausted",
        None => "error",
    };
    Row {
        key: key(moment, &message_id),
        message_id,
        question_id: question.to_owned(),
        answer_id: score.map(|_| answer_id(question, &format!("Answer of {run}"))),
        run: Some(run.to_owned()),
        subject: None,
        verdict: verdict.to_owned(),
        source: score.map(|_| "llm".to_owned()),
        error: None,
        model: score.map(|_| "small".to_owned()),
        settings: None,
        scorer: score.map(|_| "scorer".to_owned()),
        threshold: score.map(|_| 0.65),
        attempts: 1,
        score,
        unsure: false,
        latency: Some(10 + moment),
        cost: Some(1000),
        tokens: None,
        decided_at: moment,
        question: format!("Question <b>{question}</b>"),
        reference: String::new(),
        answer: format!("Answer of {run}"),
    }
}

/// Two runs, a and b, that ask the same questions in other orders.
pub fn two_runs(first: &[Option<f64>], second: &[Option<f64>]) -> Vec<Row> {
    let of = |run, scores: &[Option<f64>], start, step: i64| {
        let moments = (0..).map(move |number: i64| start + step * number);
        let rows = scores.iter().zip(moments).enumerate();
        rows.map(|(number, (score, moment))| outcome(run, &format!("q{number}"), moment, *score))
            .collect::<Vec<_>>()
    };
    [of("a", first, 1000, 1), of("b", second, 900_000, -1)].concat()
}

/// An index of some outcomes, in a folder that goes with it.
pub fn index_of(rows: Vec<Row>) -> (Index, Writer, TempDir) {
    let folder = TempDir::new().unwrap();
    let (index, mut writer) = Index::open(folder.path()).unwrap();
    writer.add(rows, Learnt::Stored).unwrap();
    index.sleep().end();
    (index, writer, folder)
}

/// What b comes to against a.
pub async fn compared(rows: Vec<Row>) -> Comparison {
    let (index, _writer, _folder) = index_of(rows);
    Comparison::of(
        RunOutcomes::read(&index, "a", None).await.unwrap(),
        RunOutcomes::read(&index, "b", None).await.unwrap(),
    )
}

fn scores(scores: &[f64]) -> Vec<Option<f64>> {
    scores.iter().copied().map(Some).collect()
}

#[tokio::test]
async fn runs_are_paired_by_question_in_whatever_order_they_come() {
    let mut rows = two_runs(&scores(&[0.1, 0.2, 0.3, 0.4]), &scores(&[0.2, 0.3, 0.4]));
    rows.extend([
        outcome("b", "only b", 5000, Some(0.9)),
        outcome("c", "q0", 6000, Some(0.9)),
    ]);
    let found = compared(rows).await;
    assert_eq!(found.pairs.len(), 3);
    assert!(
        found
            .pairs
            .iter()
            .all(|pair| (pair.difference(Measure::Score) - 0.1).abs() < 1e-9)
    );
    assert_eq!(
        found
            .alone
            .iter()
            .map(|alone| alone.is_in_second)
            .collect::<BTreeSet<_>>(),
        [false, true].into()
    );
    assert_eq!((found.first.outcomes, found.second.outcomes), (4, 4));
}

#[tokio::test]
async fn a_question_that_was_asked_several_times_counts_once_by_its_mean() {
    let often = [Some(0.9), Some(0.1), Some(0.2), None];
    let mut rows: Vec<Row> = (0..4)
        .zip(often)
        .map(|(moment, score)| outcome("a", "q", moment, score))
        .collect();
    let shown = rows[1].key;
    rows.push(outcome("b", "q", 9, Some(0.9)));
    let found = compared(rows).await;
    let [pair] = found.pairs.as_slice() else {
        panic!("{:?}", found.pairs)
    };
    assert_eq!((pair.first.times, pair.first.mean(Measure::Accepted)), (4, 0.25));
    assert!((pair.first.mean(Measure::AcceptedOfAnswered) - 1.0 / 3.0).abs() < 1e-9);
    assert!((pair.first.mean(Measure::Score) - 0.4).abs() < 1e-9);
    // The first of those whose verdict is the most frequent.
    assert_eq!(pair.first.key, shown);
}

#[tokio::test]
async fn an_error_counts_as_not_accepted() {
    let mut second = vec![Some(0.9); 20];
    second.extend([None; 20]);
    let found = compared(two_runs(&[Some(0.9); 40], &second)).await;
    assert_eq!((found.better, found.worse, found.same), (0, 20, 20));
    assert_eq!(found.main().unwrap().difference.value, -0.5);
    assert!((found.p_value - 2.0 / f64::from(1 << 20)).abs() < 1e-15);
    let answered = found
        .metrics
        .iter()
        .find(|metric| metric.measure == Measure::AcceptedOfAnswered)
        .unwrap();
    assert_eq!((answered.difference.value, answered.difference.pairs), (0.0, 20));
    assert_eq!(found.word(), Some(Word::Worse));
}

#[tokio::test]
async fn verdicts_of_other_measures_have_no_word() {
    let rows = || two_runs(&[Some(0.9); 40], &[Some(0.1); 40]);
    assert_eq!(compared(rows()).await.word(), Some(Word::Worse));
    let changed = |change: fn(&mut Row)| {
        let mut rows = rows();
        rows.iter_mut()
            .filter(|row| row.run.as_deref() == Some("b"))
            .for_each(change);
        rows
    };
    let other_scorer = compared(changed(|row| row.scorer = Some("new".to_owned()))).await;
    assert!(other_scorer.has_other_scorers() && !other_scorer.has_other_thresholds());
    let other_threshold = compared(changed(|row| row.threshold = Some(0.8))).await;
    assert!(other_threshold.has_other_thresholds() && !other_threshold.has_other_scorers());
    assert_eq!([other_scorer.word(), other_threshold.word()], [None, None]);
}

#[tokio::test]
async fn runs_without_a_shared_question_have_no_figures() {
    let found = compared(vec![
        outcome("a", "one", 1, Some(0.9)),
        outcome("b", "two", 2, Some(0.9)),
    ])
    .await;
    assert!(found.pairs.is_empty() && found.metrics.is_empty() && found.main().is_none());
}

#[tokio::test]
async fn a_comparison_is_made_again_only_when_a_run_has_other_outcomes() {
    let (index, mut writer, _folder) = index_of(two_runs(&[Some(0.9); 3], &[Some(0.1); 3]));
    let comparisons = Comparisons::default();
    let made = async || {
        let (a, b) = (
            Comparisons::extent(&index, "a").await.unwrap(),
            Comparisons::extent(&index, "b").await.unwrap(),
        );
        comparisons.of(&index, [&a.unwrap(), &b.unwrap()], None).await.unwrap()
    };
    let first = made().await;
    assert!(std::sync::Arc::ptr_eq(&first, &made().await));
    writer
        .add(vec![outcome("b", "late", 1, Some(0.9))], Learnt::Stored)
        .unwrap();
    assert_eq!((first.alone.len(), made().await.alone.len()), (0, 1));
    assert_eq!(Comparisons::extent(&index, "unknown").await.unwrap(), None);
}

#[tokio::test]
async fn answers_that_are_judged_again_count_by_their_new_verdicts_and_those_without_texts_not_at_all() {
    let mut rows = two_runs(&[Some(0.9), Some(0.9), None], &[Some(0.1), Some(0.9), Some(0.1)]);
    rows.iter_mut()
        .filter(|row| row.run.as_deref() == Some("b"))
        .for_each(|row| row.threshold = Some(0.7));
    // Of the last outcome in b the texts are gone; one more is not judged yet.
    rows.iter_mut()
        .rfind(|row| row.run.as_deref() == Some("b"))
        .unwrap()
        .answer_id = None;
    rows.push(outcome("b", "q9", 2_000_000, Some(0.1)));
    let answer = |run, number| answer_number(&answer_id(&format!("q{number}"), &format!("Answer of {run}")));
    let (index, _writer, _folder) = index_of(rows);
    let extent = async |run| Comparisons::extent(&index, run).await.unwrap().unwrap();
    let (a, b) = (extent("a").await, extent("b").await);
    let comparisons = Comparisons::default();
    let as_was = comparisons.of(&index, [&a, &b], None).await.unwrap();
    assert!(!as_was.is_judged_alike());
    assert_eq!(
        (as_was.first.threshold, as_was.second.threshold),
        (Some(0.65), Some(0.7))
    );

    let scores = [("a", 0, 0.8), ("a", 1, 0.6), ("b", 0, 0.8), ("b", 1, 0.9)];
    let verdicts = Verdicts::with(
        standard(0.7),
        scores.map(|(run, number, score)| (answer(run, number), score)),
    );
    let again = comparisons.of(&index, [&a, &b], Some(&verdicts)).await.unwrap();
    assert!(again.is_judged_alike());
    let found =
        |pair: &Pair| [&pair.first, &pair.second].map(|side| (side.verdict.unwrap(), side.mean(Measure::Score)));
    let mut pairs: Vec<_> = again.pairs.iter().map(found).collect();
    pairs.sort_by(|one, other| one[1].1.total_cmp(&other[1].1));
    assert_eq!(
        pairs,
        [[(Accepted, 0.8), (Accepted, 0.8)], [(Exhausted, 0.6), (Accepted, 0.9)]]
    );
    assert_eq!((again.first.left_out, again.second.left_out), (0, 1));
    assert_eq!((again.first.unjudged, again.second.unjudged), (0, 1));
    assert_eq!(
        again.second.outcomes, 4,
        "what is known of a run is of all its outcomes"
    );
    let [alone] = &again.alone[..] else {
        panic!("{:?}", again.alone)
    };
    assert_eq!(
        (alone.side.verdict, alone.is_in_second),
        (Some(Error), false),
        "an error stays one"
    );
    assert_eq!((again.better, again.worse, again.same), (1, 0, 1));
}
