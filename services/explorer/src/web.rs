//! The addresses of the pages, and what every answer has in common.

use std::sync::{Arc, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;

use crate::draw::Draws;
use crate::filler::{Progress, Reading};
use crate::index::Index;
use crate::language::Language;
use crate::pages::{self, Asked};
use crate::sampler::Sampler;
use crate::store::Store;
use crate::trail::Trails;

/// What the pages are made from.
#[derive(Clone)]
pub struct App {
    pub index: Index,
    pub store: Store,
    pub progress: Progress,
    pub sampler: Sampler,
    pub trails: Trails,
    pub draws: Draws,
    /// By which names the pages may be asked for.
    pub hosts: Arc<Vec<String>>,
}

impl App {
    /// How far the reading of all results is; `None` while the index is in step.
    pub fn reading(&self) -> Option<Reading> {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const STYLE: &str = concat!(
    include_str!("static/base.css"),
    include_str!("static/now.css"),
    include_str!("static/questions.css"),
    include_str!("static/question.css"),
    include_str!("static/label.css"),
    include_str!("static/compare.css"),
);
const SCRIPT: &str = concat!(
    include_str!("static/base.js"),
    include_str!("static/now.js"),
    include_str!("static/questions.js"),
    include_str!("static/question.js"),
    include_str!("static/label.js"),
);

/// Nothing but what this service serves itself may be loaded, run or embedded; no text can be a script.
const SECURITY: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// All routes. A page's address begins with its language; without one, the browser's is taken.
pub fn routes(app: App) -> Router {
    Router::new()
        .nest("/{language}", pages::routes())
        .route("/{language}/", get(pages::now::show))
        .route(
            "/static/explorer.css",
            get(async || file("text/css; charset=utf-8", STYLE)),
        )
        .route(
            "/static/explorer.js",
            get(async || file("text/javascript; charset=utf-8", SCRIPT)),
        )
        .fallback(async || (StatusCode::NOT_FOUND, "there is no such page\n"))
        .layer(from_fn(to_language))
        .layer(from_fn_with_state(app.clone(), guard))
        .with_state(app)
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// Leads an address without a language to the same page in the one that the browser prefers.
async fn to_language(request: Request, next: Next) -> Response {
    let wanted = request.uri().path_and_query().map_or("/", |wanted| wanted.as_str());
    let first = wanted[1..].split(['/', '?']).next().unwrap_or_default();
    if first == "static" || Language::of(first).is_some() {
        return next.run(request).await;
    }
    let headers = request.headers();
    let accepted = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    let language = Language::preferred(accepted.unwrap_or_default());
    Redirect::temporary(&language.link(if wanted == "/" { "" } else { wanted })).into_response()
}

/// Lets through what asks for this service by a name of its own, and what changes something only from its own pages.
async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let named = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let host = named(header::HOST).unwrap_or_default();
    let is_ours = app
        .hosts
        .iter()
        .any(|name| name == without_port(&host.to_ascii_lowercase()));
    if !is_ours {
        let refusal = "this address is not served here; EXPLORER_HOSTS lists the names that are\n";
        return (StatusCode::MISDIRECTED_REQUEST, refusal).into_response();
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let from = named(header::ORIGIN)
        .and_then(|origin| origin.split_once("://"))
        .map(|(_, host)| host);
    if changes && from != Some(host) {
        return (StatusCode::FORBIDDEN, "only pages of this service may do that\n").into_response();
    }
    let asked = Asked(request.uri().to_string());
    request.extensions_mut().insert(asked);
    let mut response = next.run(request).await;
    for (name, value) in SECURITY {
        response
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_no_part_of_a_name() {
        let names = ["localhost:8112", "[::1]:8112", "[::1]", "localhost"].map(without_port);
        assert_eq!(names, ["localhost", "[::1]", "[::1]", "localhost"]);
    }
}
