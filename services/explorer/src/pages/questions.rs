//! Questions.

use axum::Router;
use axum::routing::get;
use maud::{Markup, html};

use super::layout::{Section, Visit};
use crate::web::App;

/// The addresses of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/questions", get(show))
}

async fn show(visit: Visit) -> Markup {
    let title = visit.language.say("Questions", "Preguntas");
    visit.page(Section::Questions, title, &html! { h1 { (title) } })
}
