//! The page of a request that has no outcome: where the topics saw it last.

use axum::http::StatusCode;
use maud::{Markup, html};

use super::details;
use crate::language::Language;
use crate::pages::layout::{Section, Visit};
use crate::pages::moment::moment;
use crate::text::visible;
use crate::trail::{Trail, Window};
use crate::web::App;

/// Looks for a request in the newest records, and says what there is of it; no texts, as those may be forgotten.
pub async fn page(visit: &Visit, app: &App, id: &str) -> (StatusCode, Markup) {
    let l = visit.language;
    let title = l.say("No outcome", "Sin resultado");
    let trail = app.trails.read(id, Window::recent()).await;
    let content = html! {
        h1 { (title) }
        p { (l.say("MongoDB has no outcome of the request ", "MongoDB no tiene resultado de la petición ")) code { (visible(id)) } "." }
        @match &trail {
            Ok(trail) => (seen(l, trail)),
            Err(error) => p.warning { (l.say("Kafka cannot be read: ", "No se puede leer Kafka: ")) (visible(&error.to_string())) },
        }
        p { a.button href=(l.link(&visit.address)) { (l.say("Try again", "Reintentar")) } }
    };
    (StatusCode::NOT_FOUND, visit.page(Section::Questions, title, &content))
}

fn seen(l: Language, trail: &Trail) -> Markup {
    let Some(last) = trail.records.last() else {
        return html! { p { (l.say(
            "Nor have the topics, in the last 15 minutes: there is no such request, it is older, or its outcome was removed.",
            "Tampoco los tópicos, en los últimos 15 minutos: no existe tal petición, es más antigua, o su resultado se retiró.",
        )) } };
    };
    html! {
        p.summary {
            (l.say("It is under way. Last seen in ", "Está en curso. Visto por última vez en ")) code { (last.topic) } ": "
            (moment(l, last.written_at)) "."
        }
        (details::records(l, trail, None))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::trail::Record;

    #[test]
    fn a_request_under_way_is_where_it_was_seen_last() {
        let record = |topic, written_at| Record {
            topic,
            partition: 0,
            offset: 7,
            written_at,
            bytes: 10,
            value: json!({ "message_id": "m1", "attempts": 0, "title": "a secret" }),
        };
        let records = vec![record("questions_in", 1_000), record("llm_requests", 2_000)];
        let trail = Trail {
            records,
            is_whole: true,
        };
        let page = seen(Language::English, &trail).into_string();
        assert!(
            page.contains("Last seen in <code>llm_requests</code>") && page.contains("1,000 ms"),
            "{page}"
        );
        assert!(!page.contains("a secret"));
        let page = seen(Language::Spanish, &Trail::default()).into_string();
        assert!(page.contains("Tampoco los tópicos"));
    }
}
