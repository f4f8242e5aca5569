use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::json;
use tower::ServiceExt as _;

use super::*;
use crate::language::Language;
use crate::test_support::outcome;

fn sitting(query: &str) -> Sitting {
    let uri = format!("/label?{query}").parse().unwrap();
    Sitting::of(Query::try_from_uri(&uri).unwrap().0).unwrap()
}

fn drawn(l: Language, query: &str, case: Option<&Case>, last: Option<&Last>) -> String {
    case::page(l, &sitting(query), case, 3, last, false).into_string()
}

fn case(changes: serde_json::Value) -> Case {
    Case::of(outcome(changes)).unwrap()
}

#[test]
fn nothing_tells_what_the_judge_thinks_of_the_case() {
    let mut shown = vec![];
    for (verdict, accepted, score, confidence) in
        [("accepted", true, 0.71, "sure"), ("exhausted", false, 0.23, "unsure")]
    {
        let judged = json!({ "verdict": verdict, "accepted": accepted, "score": score, "confidence": confidence });
        shown.push(drawn(Language::English, "", Some(&case(judged)), None));
    }
    assert_eq!(shown[0], shown[1]);
    assert!(!shown[0].contains("<mark") && !shown[0].contains("0.65"));
}

#[test]
fn a_case_is_asked_with_its_keys_and_its_place() {
    let page = drawn(
        Language::English,
        "count=100&run=demo&said=a8d1a4a038c7c4a5s",
        Some(&case(json!({}))),
        None,
    );
    for told in [
        "Would a person accept this answer?",
        "2 of 4 · random draw, seed 1 · run demo · 0 yes or no, 1 skipped",
        "there are no more than 4, of 100 asked for",
        "<kbd>1</kbd> Yes",
        "<kbd>0</kbd> No",
        "<kbd>s</kbd> Skip",
        "<kbd>u</kbd> Undo",
        "My daughter asked",
        "or 3",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(
        drawn(Language::Spanish, "", Some(&case(json!({}))), None).contains("¿Aceptaría una persona esta respuesta?")
    );
}

#[test]
fn what_the_judge_thought_is_told_afterwards() {
    let last = Last {
        said: Said::Yes,
        case: case(json!({ "accepted": false, "verdict": "exhausted", "score": 0.583 })),
    };
    let page = drawn(Language::English, "", None, Some(&last));
    assert!(
        page.contains("Last: <strong>Yes</strong>; the judge said not accepted, 0.58."),
        "{page}"
    );
    assert!(page.contains("There is no answer without a label in this draw"));
}

#[test]
fn texts_are_escaped() {
    let hostile = "<script>alert(1)</script>\u{202e}";
    let case = case(json!({ "title": hostile, "llm_answer": hostile, "best_answer": hostile, "message_id": hostile }));
    let page = drawn(Language::English, "run=%3Cscript%3E", Some(&case), None);
    assert!(!page.contains("<script") && page.contains("⟨U+202E⟩"), "{page}");
}

#[tokio::test]
async fn what_is_not_stored_says_why_and_can_be_pressed_again() {
    let folder = tempfile::tempdir().unwrap();
    let (app, _writer) = crate::test_support::app(folder.path()).await;
    let pressed = Request::post("/en/label?seed=7")
        .header("host", "localhost")
        .header("origin", "http://localhost")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("key=no&message_id=m%3C1&answer=a1"))
        .unwrap();
    let answer = crate::web::routes(app).oneshot(pressed).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let page = String::from_utf8(to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap();
    for told in [
        "Not stored",
        "id=\"not-stored\"",
        "action=\"/en/label?draw=random&amp;seed=7&amp;count=100\"",
        "name=\"message_id\" value=\"m&lt;1\"",
        "name=\"key\" value=\"no\">Try again",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
}
