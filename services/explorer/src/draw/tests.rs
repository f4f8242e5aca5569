use serde_json::json;

use super::*;
use crate::index::Row;
use crate::index::row::answer_id;
use crate::index::writer::Learnt;
use crate::test_support::outcome;

fn row(number: usize, changes: &[(&str, serde_json::Value)]) -> Row {
    let (question, answer) = (number % 7, number % 11);
    let mut message = json!({
        "message_id": format!("m{number}"), "question_id": format!("q{question}"), "llm_answer": format!("Answer {answer}."),
        "run": "demo", "confidence": "sure",
    });
    for (name, value) in changes {
        message[name] = value.clone();
    }
    Row::of(outcome(message))
}

async fn drawn(rows: Vec<Row>, draw: Draw, labelled: &[String], count: usize) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let (index, mut writer) = Index::open(folder.path()).unwrap();
    index.sleep().end();
    writer.add(rows, Learnt::Stored).unwrap();
    let labelled = labelled.iter().cloned().collect();
    index
        .read(move |index| smallest(index, &draw, &labelled, count))
        .await
        .unwrap()
}

fn of(chosen: Chosen, seed: u64, run: Option<&str>) -> Draw {
    let run = run.map(str::to_owned);
    Draw { chosen, seed, run }
}

#[tokio::test]
async fn the_draw_is_the_one_of_make_label() {
    // The same answers and the same draw are in calibration/tests/test_cases.py.
    let rows: Vec<Row> = (0..100).map(|number| row(number, &[])).collect();
    let labelled = [answer_id("q3", "Answer 3.")];
    let found = drawn(rows.clone(), of(Chosen::Random, 1, None), &labelled, 3).await;
    let names: Vec<&str> = found.iter().map(|answer| &answer[..8]).collect();
    assert_eq!(names, ["bbe8ca5c", "e37c37ce", "f8fbbc8a"]);
    // Of all 77, by the largest seed.
    let found = drawn(rows, of(Chosen::Random, 1 << 63, None), &labelled, 100).await;
    assert_eq!(
        (found.len(), &found[0][..8], &found[1][..8]),
        (76, "616ea099", "1bbeacbb")
    );
}

#[tokio::test]
async fn only_what_was_scored_is_drawn_and_what_is_asked_for() {
    let rows = vec![
        row(1, &[]),
        row(2, &[("confidence", json!("unsure"))]),
        row(3, &[("run", json!("other"))]),
        Row::of(crate::test_support::failure(
            json!({ "message_id": "m4", "question_id": "q4" }),
        )),
    ];
    let names = |numbers: &[usize]| {
        let mut names: Vec<String> = numbers
            .iter()
            .map(|n| answer_id(&format!("q{n}"), &format!("Answer {n}.")))
            .collect();
        names.sort();
        names
    };
    for (draw, numbers) in [
        (of(Chosen::Random, 1, None), &[1, 2, 3][..]),
        (of(Chosen::Unsure, 1, None), &[2]),
        (of(Chosen::Random, 1, Some("demo")), &[1, 2]),
        (of(Chosen::Unsure, 1, Some("other")), &[]),
    ] {
        let mut found = drawn(rows.clone(), draw, &[], 10).await;
        found.sort();
        assert_eq!(found, names(numbers));
    }
}

#[tokio::test(start_paused = true)]
async fn a_draw_of_an_index_that_is_behind_is_soon_made_anew_and_one_of_all_lasts() {
    let folder = tempfile::tempdir().unwrap();
    let (index, _writer) = Index::open(folder.path()).unwrap();
    let (draws, draw) = (Draws::default(), of(Chosen::Random, 1, None));
    for is_behind in [true, false] {
        draws.make(&draw, &index, &HashSet::new()).await.unwrap();
        assert!(draws.known(&draw, LASTS).is_some());
        tokio::time::advance(IS_NEW).await;
        assert_eq!(draws.known(&draw, LASTS).is_none(), is_behind);
        index.sleep().end();
    }
}
