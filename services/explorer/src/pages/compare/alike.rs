//! Runs that were not judged alike: what was not alike, by what they are judged again, and what is said of that.

use std::collections::BTreeSet;
use std::sync::Arc;

use maud::{Markup, html};

use super::address::Address;
use crate::comparison::{Comparison, Comparisons, Extent, Rescorings, Standard, Verdicts, Work};
use crate::index::ReadError;
use crate::language::Language;
use crate::store::StoreError;
use crate::text::visible;
use crate::web::App;

/// Most outcomes of a page that are judged again.
const MOST_OUTCOMES: i64 = 1_000_000;

/// How the answers of the runs on a page are judged.
pub enum Judging {
    /// As they were.
    AsTheyWere,
    /// They are being judged by one standard; so many per cent are.
    UnderWay(Standard, usize),
    /// They were.
    Again(Verdicts),
    /// Why they could not be.
    Failed(String),
    /// They are more than explorer judges again.
    TooMany,
}

impl Judging {
    /// By what they are compared instead of the verdicts that fell.
    pub fn verdicts(&self) -> Option<&Verdicts> {
        match self {
            Self::Again(verdicts) => Some(verdicts),
            _ => None,
        }
    }
}

/// The standard of `make report` (`report/again.py`): the scorer that was put to use last of those that judged, and the
/// threshold of the last run that has one; `None` where all were judged alike, or there is none.
async fn standard(app: &App, compared: &[Arc<Comparison>]) -> Result<Option<Standard>, StoreError> {
    if compared.iter().all(|found| found.is_judged_alike()) {
        return Ok(None);
    }
    let runs = || compared.iter().flat_map(|found| [&found.first, &found.second]);
    let later = compared.iter().rev().find_map(|found| found.second.threshold);
    let Some(threshold) = later.or(compared[0].first.threshold) else {
        return Ok(None);
    };
    let scorer = app.store.newest_scorer(runs().flat_map(|run| &run.scorers)).await?;
    Ok(scorer.map(|scorer| Standard { scorer, threshold }))
}

/// Has runs that were not judged alike judged by one standard, each to be compared with the base.
///
/// # Errors
/// The index cannot be read.
pub async fn judging(
    app: &App,
    (comparisons, rescorings): (&Comparisons, &Rescorings),
    extents: &[Extent],
    base: &Extent,
    compared: &[Arc<Comparison>],
) -> Result<Judging, ReadError> {
    let standard = match standard(app, compared).await {
        Ok(Some(standard)) => standard,
        Ok(None) => return Ok(Judging::AsTheyWere),
        Err(error) => return Ok(Judging::Failed(error.to_string())),
    };
    if extents.iter().map(|extent| extent.outcomes).sum::<i64>() > MOST_OUTCOMES {
        return Ok(Judging::TooMany);
    }
    let verdicts = rescorings.verdicts(&standard);
    let mut others = extents.iter().filter(|extent| *extent != base);
    if others.all(|other| comparisons.has(base, other, &standard)) {
        return Ok(Judging::Again(verdicts));
    }
    let work = rescorings.work(&standard.scorer);
    let may_begin = matches!(work, Work::Idle);
    let pending = verdicts.pending(&app.index, extents, may_begin).await?;
    let (are_few, percent) = (pending.are_few(), pending.percent_done());
    if may_begin {
        rescorings.judge(&app.store, &verdicts, pending.answers);
    }
    Ok(match work {
        _ if are_few => Judging::Again(verdicts),
        Work::Failed { why, .. } => Judging::Failed(why),
        _ => Judging::UnderWay(standard, percent),
    })
}

/// Why verdicts are not of the same measure, and what is done about it; `as_they_were` are the comparisons by the
/// verdicts that fell.
pub fn said(l: Language, address: &Address, as_they_were: &[Arc<Comparison>], judging: &Judging) -> Markup {
    let unlike = || as_they_were.iter().filter(|found| !found.is_judged_alike());
    html! {
        @for found in unlike() { (obstacles(l, found)) }
        @match judging {
            Judging::AsTheyWere => {}
            Judging::Again(verdicts) => p { (by(l, &verdicts.standard)) }
            Judging::UnderWay(standard, percent) => p.warning {
                (by(l, standard)) " "
                (l.say(
                    format!("{percent} % are done; this page looks again by itself."),
                    format!("Va el {percent} %; esta página se actualiza sola."),
                ))
            }
            Judging::TooMany => p.warning {
                (l.say(
                    format!("They have more than {} outcomes, too many to be scored again here. ", l.whole(MOST_OUTCOMES)),
                    format!("Tienen más de {} resultados, demasiados para puntuarlos de nuevo aquí. ", l.whole(MOST_OUTCOMES)),
                ))
                (command(l, as_they_were))
            }
            Judging::Failed(why) => p.warning {
                (l.say("The answers could not be scored again:", "No se pudieron puntuar de nuevo las respuestas:")) " " (visible(why)) ". "
                a href=(address.link(l)) { (l.say("Try again", "Reintentar")) } ", "
                (l.say("or", "o bien")) " " (command(l, as_they_were))
            }
        }
    }
}

/// What does not count for any question of the comparisons that are shown.
pub fn missing(l: Language, compared: &[Arc<Comparison>]) -> Markup {
    let sum = |of: fn(&Comparison) -> [usize; 2]| {
        let others: usize = compared.iter().map(|found| of(found)[1]).sum();
        of(&compared[0])[0] + others
    };
    let left_out = sum(|found| [found.first.left_out, found.second.left_out]);
    let unjudged = sum(|found| [found.first.unjudged, found.second.unjudged]);
    html! {
        @if left_out > 0 { p.quiet { (l.say(
            format!("Left out, for their texts are gone: {} outcomes.", l.whole(left_out as i64)),
            format!("No cuentan, porque sus textos ya no están: {} resultados.", l.whole(left_out as i64)),
        )) } }
        @if unjudged > 0 { p.quiet { (l.say(
            format!("Not scored again yet, and left out: {} outcomes.", l.whole(unjudged as i64)),
            format!("Aún sin puntuar de nuevo, y no cuentan: {} resultados.", l.whole(unjudged as i64)),
        )) } }
    }
}

fn by(l: Language, standard: &Standard) -> String {
    let (scorer, threshold) = (visible(&standard.scorer), standard.threshold);
    l.say(
        format!(
            "For this comparison all answers are scored again by {scorer}, the newest of these scorers, at the threshold \
             {threshold}. Whether to ask again was decided by the verdicts that fell, which this cannot undo."
        ),
        format!(
            "Para esta comparación, todas las respuestas se puntúan de nuevo con {scorer}, el más nuevo de estos \
             evaluadores, y el umbral {threshold}. Si se volvía a preguntar lo decidieron los veredictos de entonces, y \
             eso ya no cambia."
        ),
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
                (format!("{}, {what}: {} {in_run} {first}, {} {in_run} {second}. ", l.say("Not judged alike", "No se juzgaron igual"), joined(one), joined(other)))
                (l.say(
                    "Verdicts by two of them are not the same measure.",
                    "Los veredictos de dos de ellos no son la misma medida.",
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
            "scores all answers again by the newest scorer, and compares those.",
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
