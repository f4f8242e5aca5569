//! Agree or disagree with a verdict: a label of somebody who has seen it, which serves fitting only.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::{Shown, View, view_of};
use crate::language::Language;
use crate::pages::label::not_stored;
use crate::pages::layout::{Problem, Visit};
use crate::store::StoreError;
use crate::store::labels::{Case, Chosen};
use crate::web::App;

/// What a person says of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Said {
    Agree,
    Disagree,
    /// Nothing any more.
    Nothing,
}

#[derive(Debug, Deserialize)]
pub(super) struct Press {
    said: Said,
}

impl Said {
    fn name(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Disagree => "disagree",
            Self::Nothing => "nothing",
        }
    }
}

/// The buttons; where the answer has no score, there is nothing to agree with.
pub fn section(l: Language, shown: &Shown<'_>) -> Markup {
    let Some(case) = Case::of(shown.outcome.clone()) else {
        return html! {};
    };
    let said = shown.labels.iter().find(|label| label.chosen == Chosen::Seen);
    let agrees = said.map(|label| label.accepted == case.is_accepted());
    let button = |what: Said, text: &str, is_said: bool| {
        html! { button name="said" value=(what.name()) aria-pressed=(is_said) { (text) } " " }
    };
    html! {
        section aria-labelledby="agree" {
            h2 id="agree" { (l.say("Do you agree?", "¿Está de acuerdo?")) }
            form method="post" action=(shown.view.link(l, "/label")) {
                (button(Said::Agree, l.say("Agree", "De acuerdo"), agrees == Some(true)))
                (button(Said::Disagree, l.say("Disagree", "En desacuerdo"), agrees == Some(false)))
                @if agrees.is_some() { (button(Said::Nothing, l.say("Take it back", "Retirarlo"), false)) }
            }
            p.quiet.small {
                (l.say(
                    "Who has seen the verdict tends to follow it: this label serves fitting only. Agreement is measured on ",
                    "Quien ha visto el veredicto tiende a seguirlo: esta etiqueta solo sirve para el ajuste. La concordancia se mide con ",
                ))
                a href=(l.link("/label")) { (l.say("blind labels", "etiquetas ciegas")) } "."
            }
        }
    }
}

/// Stores what a person says, and leads back.
pub(super) async fn say(
    visit: Visit,
    State(app): State<App>,
    Path((_, id)): Path<(String, String)>,
    Form(Press { said }): Form<Press>,
) -> Result<Response, Problem> {
    let view = view_of(&visit, &id)?;
    let l = visit.language;
    match store(&app, &id, said).await {
        Ok(true) => Ok(Redirect::to(&format!("{}#agree", view.link(l, ""))).into_response()),
        Ok(false) => Err(visit.not_found(l.say(
            "There is no answer with a score to agree with.",
            "No hay respuesta puntuada con que estar de acuerdo.",
        ))),
        Err(error) => {
            let again = again(l, &view, said);
            Ok((
                StatusCode::SERVICE_UNAVAILABLE,
                not_stored(&visit, &error, &again, &view.link(l, "")),
            )
                .into_response())
        }
    }
}

async fn store(app: &App, id: &str, said: Said) -> Result<bool, StoreError> {
    let Some(case) = app.store.result(id).await?.and_then(Case::of) else {
        return Ok(false);
    };
    match said {
        Said::Nothing => app.store.remove_label(&case.id, Chosen::Seen).await?,
        said => {
            let accepted = case.is_accepted() == (said == Said::Agree);
            app.store.save_label(&case, Chosen::Seen, accepted, true).await?;
        }
    }
    Ok(true)
}

fn again(l: Language, view: &View, said: Said) -> Markup {
    html! {
        form method="post" action=(view.link(l, "/label")) {
            button.first name="said" value=(said.name()) { (l.say("Try again", "Reintentar")) }
        }
    }
}
