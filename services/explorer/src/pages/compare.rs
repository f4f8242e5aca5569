//! Compare.

use axum::Router;
use axum::routing::get;
use maud::{Markup, html};

use super::layout::{Section, Visit};
use crate::web::App;

/// The addresses of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/compare", get(show))
}

async fn show(visit: Visit) -> Markup {
    let title = visit.language.say("Compare", "Comparar");
    visit.page(Section::Compare, title, &html! { h1 { (title) } })
}
