//! One question: what was asked and answered, side by side, and why the answer has its score.

mod agree;
mod attempts;
mod details;
mod list;
mod marks;
mod sentence;
mod signals;
mod texts;
mod undecided;
mod view;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use judge::Explanation;
use maud::{Markup, html};
use messaging::result_document::ResultDocument;

use self::attempts::Attempt;
pub use self::marks::Drawing;
use self::view::View;
use super::layout::{Problem, Section, Visit};
use crate::index::search::Neighbours;
use crate::language::Language;
use crate::store::labels::LabelDocument;
use crate::text::visible;
use crate::trail::{Trail, Window};
use crate::web::App;

/// The addresses of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/q/{message_id}", get(show))
        .route("/q/{message_id}/raw", get(raw))
        .route("/q/{message_id}/label", post(agree::say))
}

/// What the topics say of a request.
enum Topics {
    /// Nobody asked them.
    NotAsked,
    Read(Trail),
    /// Why they cannot be read.
    Away(String),
}

/// All that the page shows.
struct Shown<'a> {
    view: &'a View,
    neighbours: Option<Neighbours>,
    outcome: &'a ResultDocument,
    topics: &'a Topics,
    attempts: &'a [Attempt],
    /// Of each attempt, where it has a text and its scorer is known.
    explained: &'a [Option<Explanation>],
    labels: &'a [LabelDocument],
}

async fn show(
    visit: Visit,
    State(app): State<App>,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let view = view_of(&visit, &id)?;
    let found = app.store.result(&id).await.map_err(|error| visit.unreachable(&error))?;
    let Some(outcome) = found else {
        return Ok(undecided::page(&visit, &app, &id).await.into_response());
    };
    let topics = topics(&app, &view, &outcome).await;
    let trail = match &topics {
        Topics::Read(trail) => Some(trail),
        _ => None,
    };
    let attempts = attempts::of(&outcome, trail);
    let explained = attempts::explained(&app.store, &outcome, &attempts)
        .await
        .map_err(|error| visit.unreachable(&error))?;
    let case = crate::store::labels::Case::of(outcome.clone());
    let labels = match &case {
        Some(case) => app
            .store
            .labels_of(&case.id)
            .await
            .map_err(|error| visit.unreachable(&error))?,
        None => vec![],
    };
    // Without them the rest still shows.
    let neighbours = list::neighbours(&app.index, &view).await.unwrap_or_default();
    let shown = Shown {
        view: &view,
        neighbours,
        outcome: &outcome,
        topics: &topics,
        attempts: &attempts,
        explained: &explained,
        labels: &labels,
    };
    let title = title(visit.language, &outcome);
    Ok(visit
        .page(Section::Questions, &title, &page(visit.language, &shown))
        .into_response())
}

/// The outcome as MongoDB has it.
async fn raw(visit: Visit, State(app): State<App>, Path((_, id)): Path<(String, String)>) -> Result<Response, Problem> {
    let found = app.store.stored(&id).await.map_err(|error| visit.unreachable(&error))?;
    let outcome = found.ok_or_else(|| visit.not_found(visible(&id)))?;
    Ok((
        [(header::CONTENT_TYPE, "application/json; charset=utf-8")],
        format!("{outcome:#}\n"),
    )
        .into_response())
}

fn view_of(visit: &Visit, id: &str) -> Result<View, Problem> {
    let parameters = visit.address.split_once('?').map_or("", |(_, parameters)| parameters);
    View::of(id, parameters).map_err(|why| visit.refused(why))
}

/// What was forgotten is not brought back, though the topics may have it a while longer.
async fn topics(app: &App, view: &View, outcome: &ResultDocument) -> Topics {
    if !view.trail || outcome.forgotten_at.is_some() {
        return Topics::NotAsked;
    }
    match app.trails.read(&view.id, Window::of(outcome)).await {
        Ok(trail) => Topics::Read(trail),
        Err(error) => Topics::Away(error.to_string()),
    }
}

fn title(l: Language, outcome: &ResultDocument) -> String {
    match (&outcome.title, outcome.forgotten_at) {
        (_, Some(_)) => l
            .say("A question that was forgotten", "Una pregunta que se olvidó")
            .to_owned(),
        (Some(title), None) if !title.trim().is_empty() => visible(title),
        _ => visible(outcome.id.as_str()),
    }
}

fn page(l: Language, shown: &Shown<'_>) -> Markup {
    let Shown {
        view,
        outcome,
        topics,
        attempts,
        explained,
        ..
    } = shown;
    let attempt = attempts::shown(attempts, view.tab);
    let place = attempt.and_then(|attempt| attempts.iter().position(|other| other.number == attempt.number));
    let is_forgotten = outcome.forgotten_at.is_some();
    let explanation = place
        .and_then(|place| explained.get(place)?.as_ref())
        .filter(|_| !is_forgotten);
    let content = outcome
        .content
        .as_ref()
        .filter(|content| !content.trim().is_empty() && !is_forgotten);
    let drawing = Drawing {
        language: l,
        heaviest: marks::heaviest(explained.iter().flatten()),
        is_full: view.full,
    };
    html! {
        article.question.unmarked[!view.marks] {
            (list::links(l, view, shown.neighbours.as_ref()))
            h1 dir="auto" { (title(l, outcome)) }
            @if let Some(content) = content {
                (drawing.text(content, &[]))
            }
            (sentence::verdict(l, outcome, attempts))
            @if let Some(held) = explanation.and_then(|explanation| signals::held_back_by(l, explanation)) {
                p.held dir="auto" { (held) }
            }
            @if !is_forgotten {
                (texts::pair(&drawing, shown, attempt, explanation))
                @if let Some(explanation) = explanation { (signals::table(l, explanation)) }
                (agree::section(l, shown))
            }
            section aria-labelledby="more" {
                h2 id="more" { (l.say("More", "Más")) }
                @if let Some(explanation) = explanation { (marks::words(l, explanation)) }
                @if !is_forgotten {
                    @if let Some(thinking) = &outcome.thinking {
                        details {
                            summary { (l.say("What the model wrote to itself", "Lo que el modelo escribió para sí")) }
                            div.text.box dir="auto" { (visible(thinking)) }
                        }
                    }
                    (details::prompt(l, view, topics, attempt))
                }
                (details::cost(l, outcome, attempt))
                @if !is_forgotten { (details::way(l, view, topics, outcome)) }
                (details::raw(l, view))
            }
        }
    }
}

#[cfg(test)]
mod tests;
