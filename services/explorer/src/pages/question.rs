//! One question: what was asked and answered, side by side, and why the answer has its score.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use maud::{Markup, html};

use super::layout::{Problem, Section, Visit};
use crate::web::App;

/// The addresses of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/q/{message_id}", get(show))
}

async fn show(visit: Visit, State(app): State<App>, Path((_, id)): Path<(String, String)>) -> Result<Markup, Problem> {
    let found = app.store.result(&id).await.map_err(|error| visit.unreachable(&error))?;
    let Some(outcome) = found else {
        return Err(visit.not_found(format!("{id} has no outcome")));
    };
    let title = outcome.title.unwrap_or_default();
    Ok(visit.page(Section::Questions, &title, &html! { h1 dir="auto" { (title) } }))
}
