//! Runs that were not judged alike: what was not alike, by what they are judged again, and what is said of that.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use maud::{Markup, html};

use super::address::Address;
use crate::comparison::{Comparison, Extent, Rescorings, Stage, Standard, Verdicts};
use crate::language::Language;
use crate::text::visible;
use crate::web::App;

/// How the answers of the runs on a page are judged.
pub enum Judging {
    /// As they were: all alike, or by nothing that is known.
    AsTheyWere,
    /// They are being judged by one standard; so many per cent are.
    UnderWay(Standard, i64),
    /// They were, each run by its name.
    Again(HashMap<String, Arc<Verdicts>>),
    /// Why they could not be.
    Failed(String),
}

impl Judging {
    /// What two runs are compared by instead of the verdicts that fell.
    pub fn of(&self, runs: [&Extent; 2]) -> Option<[&Arc<Verdicts>; 2]> {
        match self {
            Self::Again(again) => Some([again.get(&runs[0].name)?, again.get(&runs[1].name)?]),
            _ => None,
        }
    }
}

/// Has runs that were not judged alike judged again, as the newest of their outcomes was.
pub fn judging(app: &App, rescorings: &Rescorings, extents: &[Extent], compared: &[Arc<Comparison>]) -> Judging {
    let runs = compared.iter().flat_map(|found| [&found.first, &found.second]);
    let newest = runs.filter_map(|run| run.newest.as_ref()).max_by_key(|(key, _)| *key);
    let is_alike = compared.iter().all(|found| found.is_judged_alike());
    let Some((_, standard)) = newest.filter(|_| !is_alike) else {
        return Judging::AsTheyWere;
    };
    let (mut again, mut done, mut of) = (HashMap::new(), 0.0, 0.0);
    for extent in extents {
        let outcomes = extent.outcomes as f64;
        of += outcomes;
        match rescorings.of(&app.store, &app.index, extent, standard) {
            Stage::Failed(why) => return Judging::Failed(why),
            Stage::UnderWay(reading) => done += outcomes * reading.done as f64 / reading.of.max(1) as f64,
            Stage::Done(verdicts) => {
                done += outcomes;
                again.insert(extent.name.clone(), verdicts);
            }
        }
    }
    if again.len() == extents.len() {
        Judging::Again(again)
    } else {
        Judging::UnderWay(standard.clone(), (100.0 * done / of) as i64)
    }
}

/// Why verdicts are not of the same measure, and what is done about it.
pub fn said(l: Language, address: &Address, compared: &[Arc<Comparison>], judging: &Judging) -> Markup {
    let unlike = || compared.iter().filter(|found| !found.is_judged_alike());
    html! {
        @for found in unlike() { (obstacles(l, found)) }
        @match judging {
            Judging::AsTheyWere => @if unlike().next().is_some() { p.warning { (command(l, compared)) } },
            Judging::UnderWay(standard, percent) => p.warning role="status" {
                (l.say(
                    format!("All answers are being scored again by {}: {percent} %. This page shows what comes of it by itself.", written(l, standard)),
                    format!("Todas las respuestas se están puntuando de nuevo con {}: {percent} %. Esta página mostrará sola lo que resulte.", written(l, standard)),
                ))
            },
            Judging::Failed(why) => p.warning {
                (l.say(format!("They could not be scored again: {why}. "), format!("No se pudieron puntuar de nuevo: {why}. ")))
                a href=(address.link(l)) { (l.say("Try again", "Reintentar")) } ", "
                (l.say("or:", "o bien:")) " " (command(l, compared))
            },
            Judging::Again(verdicts) => @if let Some(verdicts) = verdicts.values().next() { p { (done(l, &verdicts.standard, compared)) } },
        }
    }
}

fn done(l: Language, standard: &Standard, compared: &[Arc<Comparison>]) -> String {
    let others: usize = compared.iter().map(|found| found.second.left_out).sum();
    let left_out = compared[0].first.left_out + others;
    let gone = l.whole(left_out as i64);
    let gone = l.say(
        format!(" {gone} outcomes whose texts are gone are left out."),
        format!(" {gone} resultados cuyos textos ya no están no cuentan."),
    );
    let said = l.say(
        format!(
            "For this comparison all answers were scored again by {}. Whether to ask again was decided by the verdicts \
             that fell, which this cannot undo.",
            written(l, standard)
        ),
        format!(
            "Para esta comparación, todas las respuestas se puntuaron de nuevo con {}. Si se volvía a preguntar lo \
             decidieron los veredictos de entonces, y eso ya no cambia.",
            written(l, standard)
        ),
    );
    said + if left_out > 0 { &gone } else { "" }
}

fn written(l: Language, standard: &Standard) -> String {
    let (scorer, threshold) = (visible(&standard.scorer), standard.threshold);
    l.say(
        format!("{scorer} at the threshold {threshold}, as the newest of these outcomes was"),
        format!("{scorer} y el umbral {threshold}, como el más nuevo de estos resultados"),
    )
}

fn obstacles(l: Language, found: &Comparison) -> Markup {
    let scorers = (
        l.say("other scorer", "otro evaluador"),
        &found.first.scorers,
        &found.second.scorers,
    );
    let thresholds = (
        l.say("other threshold", "otro umbral"),
        &found.first.thresholds,
        &found.second.thresholds,
    );
    let both = [
        (found.has_other_scorers(), scorers),
        (found.has_other_thresholds(), thresholds),
    ];
    let in_run = l.say("in", "en");
    let (first, second) = (visible(&found.first.name), visible(&found.second.name));
    html! {
        @for (what, one, other) in both.into_iter().filter_map(|(holds, of)| holds.then_some(of)) {
            p.warning {
                (format!("{}, {what}: {} {in_run} {first}, {} {in_run} {second}. ", l.say("Not comparable", "No comparables"), joined(one), joined(other)))
                (l.say(
                    "Verdicts by two of them are not the same measure: read no difference in what was accepted, or in scores, as one of the model.",
                    "Los veredictos de dos de ellos no son la misma medida: no tome una diferencia en lo aceptado, o en las puntuaciones, por una del modelo.",
                ))
            }
        }
    }
}

/// The command that compares the runs; a name that a shell or make could take for something else is left out.
fn command(l: Language, compared: &[Arc<Comparison>]) -> Markup {
    let others = compared.iter().map(|found| &found.second.name);
    let is_plain = |name: &str| {
        name.chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter))
    };
    let names: Vec<&str> = [&compared[0].first.name]
        .into_iter()
        .chain(others)
        .map(|name| if is_plain(name) { name.as_str() } else { "…" })
        .collect();
    html! {
        code { "make report RUN=" (names.join(",")) } " "
        (l.say(
            "scores all answers again by the newer scorer, and compares those.",
            "puntúa de nuevo todas las respuestas con el evaluador más nuevo y las compara.",
        ))
    }
}

/// Names, as a sentence lists them.
pub fn joined(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return "–".to_owned();
    }
    names.iter().map(|name| visible(name)).collect::<Vec<_>>().join(", ")
}
