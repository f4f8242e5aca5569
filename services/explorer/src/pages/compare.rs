//! Compare: the list of runs, and two or more of them question by question.

mod address;
mod alike;
mod changes;
mod figures;
mod order;
mod runs;
mod sentence;
mod verdict;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::HeaderName;
use axum::http::header::REFRESH;
use axum::routing::get;
use axum::{Extension, Router};
use maud::{Markup, html};
use messaging::model_settings::ModelSettings;

use self::address::Address;
use self::alike::Judging;
use super::layout::{Problem, Section, Visit};
use crate::comparison::{Comparison, Comparisons, Extent, Rescorings, Verdicts};
use crate::language::Language;
use crate::text::visible;
use crate::web::App;

/// Most runs that are named in the place of one that is unknown.
const MOST_NEAREST: usize = 5;

/// The addresses of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/compare", get(show))
        .layer(Extension(Comparisons::default()))
        .layer(Extension(Rescorings::default()))
}

/// A page, and after how many seconds it is asked for again where it will have more.
type Page = (Option<[(HeaderName, &'static str); 1]>, Markup);

async fn show(
    visit: Visit,
    State(app): State<App>,
    Extension(comparisons): Extension<Comparisons>,
    Extension(rescorings): Extension<Rescorings>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Result<Page, Problem> {
    let l = visit.language;
    let address = Address::of(parameters, l).map_err(|why| visit.refused(why))?;
    let extents = extents(&visit, &app, &address).await?;
    let reading = being_read(l, &app);
    if extents.len() < 2 {
        let page = runs::page(&visit, &app, &address).await?;
        let title = l.say("Runs", "Ejecuciones");
        let content = html! { h1 { (title) } (reading) (page) };
        return Ok((None, visit.page(Section::Compare, title, &content)));
    }
    let base = base(&address, &extents);
    let compare = async |rejudged: Option<&Verdicts>| {
        let mut compared = vec![];
        for other in extents.iter().filter(|other| *other != base) {
            let found = comparisons.of(&app.index, [base, other], rejudged).await;
            compared.push(found.map_err(|error| visit.unread(&error))?);
        }
        Ok::<_, Problem>(compared)
    };
    let mut compared = compare(None).await?;
    let judging = alike::judging(&app, (&comparisons, &rescorings), &extents, base, &compared).await;
    let judging = judging.map_err(|error| visit.unread(&error))?;
    let said = alike::said(l, &address, &compared, &judging);
    if let Some(verdicts) = judging.verdicts() {
        // The first are not held beside the others: they may be large.
        drop(compared);
        compared = compare(Some(verdicts)).await?;
    }
    let known = settings(&app, &compared).await;
    let address = Address {
        base: Some(base.name.clone()),
        ..address
    };
    let listed = listed(&address, &compared);
    let list = changes::section(&visit, &app.index, &address, listed).await?;
    let content = html! {
        (verdict::heading(l, &compared, &html! { (said) (alike::missing(l, &compared)) }))
        (reading)
        (verdict::sections(l, &address, &compared, known.as_deref()))
        (list)
        p { a href=(l.link("/compare")) { (l.say("All runs", "Todas las ejecuciones")) } }
    };
    let refresh = matches!(judging, Judging::UnderWay(..)).then_some([(REFRESH, "5")]);
    let page = visit.page(Section::Compare, &verdict::title(l, &compared), &content);
    Ok((refresh, page))
}

/// What the index has of each run that is named.
async fn extents(visit: &Visit, app: &App, address: &Address) -> Result<Vec<Extent>, Problem> {
    let mut extents = vec![];
    for name in &address.runs {
        match Comparisons::extent(&app.index, name)
            .await
            .map_err(|error| visit.unread(&error))?
        {
            Some(extent) => extents.push(extent),
            None => {
                // Without MongoDB, no other is named.
                let names = app.store.run_names().await.unwrap_or_default();
                return Err(visit.not_found(unknown(visit.language, name, &names)));
            }
        }
    }
    Ok(extents)
}

/// Why there is nothing to compare of a run, where these are known.
fn unknown(l: Language, name: &str, names: &[String]) -> String {
    let shown = visible(name);
    if names.iter().any(|known| known == name) {
        return l.say(
            format!("The run {shown} has no outcome here: all are removed by RESULTS_RETENTION, or not read yet."),
            format!("La ejecución {shown} no tiene resultados aquí: RESULTS_RETENTION los quitó, o aún no se leen."),
        );
    }
    let there_is_none = l.say(
        format!("There is no run {shown}."),
        format!("No hay ninguna ejecución {shown}."),
    );
    let nearest: Vec<String> = nearest(name, names).into_iter().map(visible).collect();
    if nearest.is_empty() {
        return there_is_none;
    }
    let like_it = l.say("The nearest names:", "Los nombres más parecidos:");
    format!("{there_is_none} {like_it} {}.", nearest.join(", "))
}

/// The names that are most like one.
fn nearest<'names>(name: &str, names: &'names [String]) -> Vec<&'names str> {
    let mut ranked: Vec<(f64, &str)> = names
        .iter()
        .map(|known| (strsim::jaro_winkler(name, known), known.as_str()))
        .collect();
    ranked.sort_by(|one, other| other.0.total_cmp(&one.0));
    ranked.into_iter().take(MOST_NEAREST).map(|(_, known)| known).collect()
}

/// The run that the others are compared with: the one that is named, or else the one that began first.
fn base<'extents>(address: &Address, extents: &'extents [Extent]) -> &'extents Extent {
    let named = extents
        .iter()
        .find(|extent| address.base.as_ref() == Some(&extent.name));
    named
        .or_else(|| extents.iter().min_by_key(|extent| extent.first))
        .unwrap_or(&extents[0])
}

/// The comparison whose questions are listed.
fn listed<'compared>(address: &Address, compared: &'compared [Arc<Comparison>]) -> &'compared Comparison {
    let named = compared
        .iter()
        .find(|comparison| address.against.as_ref() == Some(&comparison.second.name));
    named.unwrap_or(&compared[0])
}

/// By which settings the model answered in any of the runs; `None` where MongoDB does not say.
async fn settings(app: &App, compared: &[Arc<Comparison>]) -> Option<Vec<ModelSettings>> {
    let runs = compared
        .iter()
        .flat_map(|comparison| [&comparison.first, &comparison.second]);
    let hashes: BTreeSet<&String> = runs.flat_map(|run| &run.settings).collect();
    if hashes.is_empty() {
        return Some(vec![]);
    }
    app.store
        .model_settings(hashes.into_iter().cloned().collect())
        .await
        .ok()
}

/// Says how far the index is, while it is not in step.
fn being_read(l: Language, app: &App) -> Markup {
    let Some(reading) = app.reading() else {
        return html! {};
    };
    let percent = (100 * reading.done / reading.of.max(1)).min(99);
    html! {
        p.warning {
            (l.say(
                format!("The index is being made: it has {percent} % of the results so far, and so have the figures of this page."),
                format!("El índice se está creando: tiene el {percent} % de los resultados, y también las cifras de esta página."),
            ))
        }
    }
}

#[cfg(test)]
mod tests;
