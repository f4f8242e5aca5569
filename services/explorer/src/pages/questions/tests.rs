//! The page as a reader gets it, from an index alone.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::filler::Reading;
use crate::index::row::Row;
use crate::index::tests::{error, index, row};
use crate::test_support::app_over;
use crate::web::{App, routes};

/// A page's status and text; nobody answers for MongoDB.
async fn get(rows: Vec<Row>, progress: Option<Reading>, address: &str) -> (StatusCode, String) {
    let (_folder, app): (TempDir, App) = app(rows, progress).await;
    let request = Request::get(address)
        .header(header::HOST, "localhost")
        .body(Body::empty())
        .unwrap();
    let response = routes(app).oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn app(rows: Vec<Row>, progress: Option<Reading>) -> (TempDir, App) {
    let (folder, index, _) = index(rows);
    let app = app_over(index).await;
    *app.progress.lock().unwrap() = progress;
    (folder, app)
}

#[tokio::test]
async fn texts_are_shown_as_texts() {
    let evil = Row {
        question: "<script>alert(1)</script>".to_owned(),
        answer: "\"><img src=x onerror=alert(2)>".to_owned(),
        subject: Some("</td><b>".to_owned()),
        run: Some("\" onmouseover=\"alert(3)".to_owned()),
        error: Some("<i>".to_owned()),
        model: Some("<u>".to_owned()),
        ..row("a/b?c d", 0)
    };
    let (status, page) = get(vec![evil], None, "/en/questions?run=&columns=model,cost,tokens,run").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("&lt;img src=x"));
    for tag in ["<script>", "<img", "<b>", "<i>", "<u>", " onmouseover=\"", "style="] {
        assert!(!page.contains(tag), "{tag}");
    }
    assert!(
        page.contains("href=\"/en/q/a%2Fb%3Fc%20d?run="),
        "the row leads to its outcome, and takes the list along"
    );
}

#[tokio::test]
async fn the_page_is_in_both_languages() {
    let rows = || vec![row("a", 0), error("e", 1)];
    let (_, english) = get(rows(), None, "/en/questions").await;
    let (_, spanish) = get(rows(), None, "/es/questions").await;
    for (page, words) in [
        (
            &english,
            ["Questions", "Worst", "Asked again", "No answer", "outcomes of run"],
        ),
        (
            &spanish,
            [
                "Preguntas",
                "Peores",
                "Preguntadas otra vez",
                "Sin respuesta",
                "resultados de la ejecución",
            ],
        ),
    ] {
        for word in words {
            assert!(page.contains(word), "{word}");
        }
    }
    assert!(english.contains("0.80") && spanish.contains("0,80"));
}

#[tokio::test]
async fn the_sorted_column_says_so_and_links_the_other_way() {
    let (_, page) = get(
        vec![row("a", 0)],
        None,
        "/en/questions?sort=score&order=asc&distinct=yes&until=2030-01-01T00:00:00Z",
    )
    .await;
    assert_eq!(page.matches("aria-sort").count(), 1);
    assert!(page.contains("aria-sort=\"ascending\""));
    let other_way = "/en/questions?run=demo&amp;sort=score&amp;distinct=yes&amp;until=2030-01-01T00%3A00%3A00Z";
    assert!(page.contains(other_way), "{page}");
}

#[tokio::test]
async fn a_list_by_cost_shows_what_each_outcome_cost_and_those_without_last() {
    let free = Row {
        cost: None,
        ..row("free", 2)
    };
    let (_, page) = get(vec![row("a", 0), free], None, "/es/questions?sort=cost").await;
    let (dear, none) = (
        page.find("0,000001").unwrap(),
        page.find("data-name=\"Coste, USD\">–").unwrap(),
    );
    assert!(dear < none && page.contains("Más caras"));
    let (_, page) = get(vec![row("a", 0)], None, "/en/questions").await;
    assert!(!page.contains("data-name=\"Cost, USD\""));
}

#[tokio::test]
async fn columns_that_are_asked_for_stand_in_the_table_and_in_every_link_of_the_list() {
    let columns = "columns=model%2Ctokens";
    let rows = || (0..60).map(|number| row(&number.to_string(), number)).collect();
    let (_, page) = get(rows(), None, &format!("/es/questions?{columns}")).await;
    assert!(page.contains("data-name=\"Modelo\"><bdi>small</bdi>") && page.contains(">1\u{202f}200 / 34<"));
    assert!(page.contains("<th scope=\"col\">Modelo</th>") && !page.contains("Coste, USD</a>"));
    assert!(page.contains("name=\"columns\" value=\"tokens\" checked") && page.contains("Más columnas (2)"));
    let links = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let of_the_list = |link: &&str| {
        ["questions?", "questions.", "/q/"]
            .iter()
            .any(|part| link.contains(part))
    };
    let without: Vec<&str> = links
        .filter(of_the_list)
        .filter(|link| !link.contains(columns))
        .collect();
    assert!(without.is_empty(), "{without:?}");
    let (status, page) = get(vec![], None, "/es/questions?columns=price&verdict=error").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(page.contains("columns=price") && page.contains("model, cost, tokens, run, varias con comas"));
    assert!(page.contains("href=\"/es/questions?verdict=error\""));
}

#[tokio::test]
async fn a_list_is_pinned_when_it_is_opened() {
    let (_, page) = get(
        (0..60).map(|number| row(&number.to_string(), number)).collect(),
        None,
        "/en/questions",
    )
    .await;
    let next = page.split("href=\"").find(|link| link.contains("at=after")).unwrap();
    assert!(next.contains("run=demo") && next.contains("until=20"), "{next}");
    let (_, page) = get(
        vec![row("a", 0), row("b", 9)],
        None,
        "/en/questions?until=2026-02-02T02:40:00.001Z",
    )
    .await;
    assert!(page.contains("1 newer"));
}

#[tokio::test]
async fn what_matches_nothing_says_what_was_asked_and_how_to_ask_less() {
    let (status, page) = get(vec![row("a", 0)], None, "/en/questions?verdict=error&words=sky").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("Nothing matches all of this") && page.contains("Words: sky"));
    assert!(
        page.contains("href=\"/en/questions?run=demo&amp;words=sky&amp;until="),
        "without the verdict alone"
    );
    let (_, page) = get(vec![], None, "/es/questions").await;
    assert!(page.contains("make traffic") && page.contains("Aún no se ha decidido nada"));
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_refused_by_name() {
    let (status, page) = get(vec![], None, "/es/questions?verdict=%3Cb%3E&attempts=2..&score_from=7").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(page.contains("verdict=&lt;b&gt;") && page.contains("accepted, exhausted, error"));
    assert!(page.contains("score_from=7") && page.contains("un número de 0 a 1"));
    assert!(page.contains("href=\"/es/questions?attempts=2..\""));
}

#[tokio::test]
async fn a_list_that_is_being_filled_says_how_far_it_is() {
    let (_, page) = get(vec![row("a", 0)], Some(Reading { done: 34, of: 100 }), "/en/questions").await;
    assert!(page.contains("34.0\u{a0}% of the results so far"));
}

#[tokio::test]
async fn an_export_that_cannot_begin_is_no_file() {
    for ending in ["csv", "jsonl"] {
        let (status, page) = get(vec![row("a", 0)], None, &format!("/en/questions.{ending}")).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(page.contains("MongoDB cannot be read"));
    }
    let (status, file) = get(vec![], None, "/en/questions.csv").await;
    assert_eq!(status, StatusCode::OK);
    assert!(file.starts_with("message_id,question_id,run,") && file.lines().count() == 1);
}
