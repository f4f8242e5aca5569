//! Label: a person says of one answer after the other whether a person would accept it. Verdict, score and marks are
//! hidden until the label is stored: people follow what they are shown (Beck et al. 2025, arXiv 2509.08514; Berzak et al.
//! 2016, arXiv 1605.04481).

mod case;
mod sitting;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use axum::{Form, Router};
use maud::{Markup, html};
use serde::Deserialize;

use self::case::Last;
use self::sitting::{Parameters, Said, Sitting};
use super::layout::{Problem, Section, Visit};
use crate::draw::{DrawError, case_of};
use crate::store::StoreError;
use crate::store::labels::Case;
use crate::text::visible;
use crate::web::App;

/// The addresses of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/label", get(show).post(press))
}

/// What a person does with a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Key {
    Yes,
    No,
    Skip,
    Undo,
}

#[derive(Debug, Deserialize)]
struct Press {
    key: Key,
    /// The outcome that is shown.
    #[serde(default)]
    message_id: String,
    /// The answer that it has.
    #[serde(default)]
    answer: String,
}

async fn show(visit: Visit, State(app): State<App>, Query(parameters): Query<Parameters>) -> Result<Markup, Problem> {
    let sitting = Sitting::of(parameters).map_err(|why| visit.refused(why))?;
    let failed = |error: DrawError| match error {
        DrawError::Index(error) => visit.unread(&error),
        DrawError::Store(error) => visit.unreachable(&error),
    };
    let last = last(&app, &sitting).await.map_err(failed)?;
    let (case, left) = next(&app, &sitting).await.map_err(failed)?;
    let progress = app.reading();
    let title = visit.language.say("Label", "Etiquetar");
    let content = case::page(
        visit.language,
        &sitting,
        case.as_ref(),
        left,
        last.as_ref(),
        progress.is_some(),
    );
    Ok(visit.page(Section::Label, title, &content))
}

/// The case that is to be judged, and how many are left with it.
async fn next(app: &App, sitting: &Sitting) -> Result<(Option<Case>, usize), DrawError> {
    if let Some(wanted) = &sitting.case
        && let Some(case) = case_of(wanted, &app.index, &app.store).await?
    {
        return Ok((Some(case), sitting.count.saturating_sub(sitting.said.len())));
    }
    if sitting.said.len() >= sitting.count {
        return Ok((None, 0));
    }
    let passed: Vec<&str> = sitting.said.iter().map(|(case, _)| case.as_str()).collect();
    let next = app.draws.next(&sitting.draw, &app.index, &app.store, &passed).await?;
    Ok((next.case, next.left))
}

/// What was said last, and what the judge thinks of it: only where the label is really stored.
async fn last(app: &App, sitting: &Sitting) -> Result<Option<Last>, DrawError> {
    let Some((name, said)) = sitting.said.last().filter(|(_, said)| *said != Said::Skipped) else {
        return Ok(None);
    };
    let Some(case) = case_of(name, &app.index, &app.store).await? else {
        return Ok(None);
    };
    let labels = app.store.labels_of(&case.id).await?;
    let is_stored = labels.iter().any(|label| label.chosen == sitting.draw.chosen);
    Ok(is_stored.then_some(Last { said: *said, case }))
}

/// Does what a key says, and leads to the next case.
async fn press(
    visit: Visit,
    State(app): State<App>,
    Query(parameters): Query<Parameters>,
    Form(press): Form<Press>,
) -> Result<Response, Problem> {
    let sitting = Sitting::of(parameters).map_err(|why| visit.refused(why))?;
    let l = visit.language;
    let here = sitting.link(l);
    match store(&app, sitting, &press).await {
        Ok(next) => Ok(Redirect::to(&next.link(l)).into_response()),
        Err(error) => {
            let again = case::again(l, &here, &press);
            Ok((
                StatusCode::SERVICE_UNAVAILABLE,
                not_stored(&visit, &error, &again, &here),
            )
                .into_response())
        }
    }
}

async fn store(app: &App, sitting: Sitting, press: &Press) -> Result<Sitting, DrawError> {
    let chosen = sitting.draw.chosen;
    let said = match press.key {
        Key::Undo => {
            if let Some((name, said)) = sitting.said.last()
                && *said != Said::Skipped
            {
                app.store.remove_label(name, chosen).await?;
            }
            return Ok(sitting.before_last());
        }
        Key::Skip => Said::Skipped,
        Key::Yes => Said::Yes,
        Key::No => Said::No,
    };
    if said == Said::Skipped {
        return Ok(sitting.after(&press.answer, said));
    }
    let found = app.store.first_case(std::slice::from_ref(&press.message_id)).await?;
    // What was forgotten while it was looked at needs no label.
    let Some(case) = found.filter(|case| case.id == press.answer) else {
        return Ok(Sitting { case: None, ..sitting });
    };
    let was_seen = sitting.has_seen(&case.id);
    match app.store.save_label(&case, chosen, said == Said::Yes, was_seen).await {
        Ok(()) => Ok(sitting.after(&case.id, said)),
        Err(StoreError::Forgotten) => Ok(Sitting { case: None, ..sitting }),
        Err(error) => Err(error.into()),
    }
}

/// A page that says that a label was not stored, and tries it again.
pub fn not_stored(visit: &Visit, why: &impl std::fmt::Display, again: &Markup, back: &str) -> Markup {
    let l = visit.language;
    let title = l.say("Not stored", "No se guardó");
    let content = html! {
        h1 { (title) }
        p.warning id="not-stored" { (visible(&why.to_string())) }
        (again)
        p { a href=(back) { (l.say("Back to the question", "Volver a la pregunta")) } }
    };
    visit.page(Section::Label, title, &content)
}

#[cfg(test)]
mod tests;
