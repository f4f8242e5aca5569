//! Now: whether it works, how fast, how well, and what is wrong. The page is drawn once a second for those who look, and
//! sent as it is: a reader that connects again needs nothing of what came before.

mod charts;
mod condition;
mod parts;
#[cfg(test)]
mod tests;
mod view;
mod words;

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use contracts::value::now;
use futures::{Stream, StreamExt as _, stream};
use maud::Markup;
use tokio::time::{MissedTickBehavior, interval};

use super::layout::{Section, Visit};
use crate::language::Language;
use crate::web::App;

const EACH: Duration = Duration::from_secs(1);
/// When a browser whose stream ended tries again by itself.
const RETRY: Duration = Duration::from_secs(3);
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// The addresses of this page, but for its own: that is the language's.
pub fn routes() -> Router<App> {
    Router::new().route("/", get(show)).route("/now/events", get(events))
}

/// The page.
pub async fn show(visit: Visit, State(app): State<App>) -> Markup {
    let l = visit.language;
    app.index.sleep().wake().await;
    visit.page(Section::Now, l.say("Now", "Ahora"), &view::page(&content(&app, l), l))
}

fn content(app: &App, l: Language) -> Markup {
    view::content(&app.sampler.state(), app.reading(), now(), l)
}

/// The page's content, each second anew.
async fn events(visit: Visit, State(app): State<App>) -> Response {
    let Some(reader) = app.sampler.read_along() else {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::RETRY_AFTER, "30")],
            "too many read along\n",
        )
            .into_response();
    };
    let shutdown = app.sampler.shutdown();
    let l = visit.language;
    // Who is slow gets fewer; nothing piles up.
    let mut ticks = interval(EACH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let each_second = stream::unfold((ticks, reader), move |(mut ticks, reader)| {
        let app = app.clone();
        async move {
            ticks.tick().await;
            app.index.sleep().wake().await;
            let event = Event::default().retry(RETRY).data(content(&app, l).into_string());
            Some((Ok(event), (ticks, reader)))
        }
    });
    sent(each_second.take_until(shutdown.cancelled_owned()))
}

fn sent(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    Sse::new(events)
        .keep_alive(KeepAlive::new().interval(COMMENT_EVERY))
        .into_response()
}
