use serde_json::{Value, json};

use super::*;
use crate::test_support::{failure, outcome, scorer};
use crate::trail::Record;

const HOSTILE: &str = "<script>alert(1)</script>\u{202e}<img src=x onerror=alert(1)>";

fn drawn(l: Language, outcome: &ResultDocument, parameters: &str, topics: &Topics) -> String {
    let view = View::of(outcome.id.as_str(), parameters).unwrap();
    let trail = match topics {
        Topics::Read(trail) => Some(trail),
        _ => None,
    };
    let attempts = attempts::of(outcome, trail);
    let scorer = std::sync::Arc::new(scorer());
    let explained: Vec<_> = attempts
        .iter()
        .map(|attempt| attempts::explain(outcome, attempt, Some(std::sync::Arc::clone(&scorer))))
        .collect();
    let shown = Shown {
        view: &view,
        neighbours: None,
        outcome,
        topics,
        attempts: &attempts,
        explained: &explained,
        labels: &[],
    };
    page(l, &shown).into_string()
}

/// What is read of a page.
fn plain(page: &str) -> String {
    let parts = page
        .split('<')
        .map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    parts.collect()
}

fn english(changes: Value) -> String {
    drawn(Language::English, &outcome(changes), "", &Topics::NotAsked)
}

fn trail() -> Trail {
    let mut value: Value = serde_json::from_str(include_str!(
        "../../../../../contracts/examples/LlmResponse/valid/every_field.json"
    ))
    .unwrap();
    (value["attempts"], value["llm_answer"], value["prompt"]) = (json!(1), json!("The sea."), json!(HOSTILE));
    let records = vec![Record {
        topic: "llm_responses",
        partition: 3,
        offset: 41,
        written_at: 1_772_366_400_100,
        bytes: 900,
        value,
    }];
    Trail {
        records,
        is_whole: true,
    }
}

#[test]
fn the_verdict_is_a_sentence_in_both_languages() {
    let page = english(json!({}));
    assert!(
        page.contains("Accepted</strong>: score 0.710, best of 2 attempts, threshold 0.65."),
        "{page}"
    );
    assert!(
        page.contains("The judge is unsure") && page.contains("Held back by: "),
        "{page}"
    );
    let page = drawn(Language::Spanish, &outcome(json!({})), "", &Topics::NotAsked);
    assert!(
        page.contains("Aceptada</strong>: puntuación 0,710, la mejor de 2 intentos, umbral 0,65."),
        "{page}"
    );
    assert!(page.contains("La frenan: ") && page.contains("De acuerdo"));
}

#[test]
fn every_text_is_escaped_wherever_it_stands() {
    let hostile = json!({ "title": HOSTILE, "content": HOSTILE, "llm_answer": HOSTILE, "best_answer": HOSTILE, "other_answers": [HOSTILE],
        "thinking": HOSTILE, "model": HOSTILE, "run": HOSTILE, "topic": HOSTILE, "message_id": HOSTILE });
    for page in [
        english(hostile),
        drawn(
            Language::English,
            &outcome(json!({})),
            "trail=1&tab=1",
            &Topics::Read(trail()),
        ),
    ] {
        assert!(
            !page.contains("<script") && !page.contains("<img") && !page.contains('\u{202e}'),
            "{page}"
        );
        assert!(page.contains("⟨U+202E⟩"));
    }
    let page = drawn(
        Language::English,
        &failure(json!({ "error_type": HOSTILE, "error_detail": HOSTILE })),
        "",
        &Topics::Away(HOSTILE.into()),
    );
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
}

#[test]
fn an_error_says_what_when_to_ask_again_and_shows_the_attempt_before() {
    let page = drawn(Language::English, &failure(json!({})), "", &Topics::NotAsked);
    let read = plain(&page);
    for told in [
        "No answer",
        "rate_limited",
        "429 Too Many Requests after 5 tries",
        "2026-03-01 12:01:00 UTC",
        "It reflects the sea",
        "Cut off",
    ] {
        assert!(read.contains(told), "{told}: {read}");
    }
    assert!(!page.contains(">Agree<"));
    let page = drawn(
        Language::English,
        &failure(json!({ "previous": null })),
        "",
        &Topics::NotAsked,
    );
    assert!(page.contains("No model has answered."));
}

#[test]
fn without_the_topics_the_page_says_where_more_is() {
    let page = english(json!({}));
    assert!(
        page.contains("href=\"/en/q/0193546f-1a2b-7c3d-8e4f-5a6b7c8d9e0f?trail=1&amp;tab=1\""),
        "{page}"
    );
    assert!(page.contains("Read it from the topics"));
    let page = drawn(
        Language::English,
        &outcome(json!({})),
        "trail=1&tab=1",
        &Topics::Away("no broker".into()),
    );
    assert!(
        page.contains("Kafka cannot be read: no broker") && page.contains("Try again"),
        "{page}"
    );
}

#[test]
fn with_the_topics_all_attempts_have_their_texts_and_what_is_gone_is_named() {
    let page = drawn(
        Language::English,
        &outcome(json!({})),
        "trail=1&tab=1",
        &Topics::Read(trail()),
    );
    assert!(plain(&page).contains("The sea."), "{page}");
    assert!(
        page.contains("<code>llm_responses</code>") && page.contains("100 ms") && page.contains(">41<"),
        "{page}"
    );
    assert!(page.contains("Kafka no longer has this in questions_in"));
    let gone = Trail {
        records: vec![],
        is_whole: true,
    };
    let page = drawn(
        Language::English,
        &outcome(json!({})),
        "trail=1&tab=1",
        &Topics::Read(gone),
    );
    assert!(page.contains("Kafka no longer has the text of this attempt"));
}

#[test]
fn what_was_forgotten_says_so_and_shows_nothing_else() {
    let mut forgotten = outcome(json!({}));
    forgotten.forgotten_at = Some(forgotten.decided_at);
    let page = drawn(Language::English, &forgotten, "trail=1", &Topics::NotAsked);
    assert!(page.contains("A person had its texts forgotten: "));
    for text in ["sky", "scatter", "Agree", "Read it from the topics"] {
        assert!(!page.contains(text), "{text}: {page}");
    }
}

#[test]
fn marks_can_be_turned_off_and_the_list_that_led_here_is_kept() {
    let page = drawn(
        Language::English,
        &outcome(json!({})),
        "run=x&marks=off",
        &Topics::NotAsked,
    );
    assert!(
        page.contains("class=\"question unmarked\"") && page.contains("Marks on"),
        "{page}"
    );
    assert!(page.contains("href=\"/en/questions?run=x\"") && page.contains("/label?run=x&amp;marks=off"));
    assert!(!english(json!({})).contains("/en/questions?"));
}
