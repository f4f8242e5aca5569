//! What comes of a comparison: the sentence, what the runs differ in, and the figures.

use std::sync::Arc;

use maud::{Markup, html};
use messaging::model_settings::ModelSettings;

use super::address::Address;
use super::alike::joined;
use super::figures;
use super::sentence::sentence;
use crate::comparison::statistics::FEWEST_PAIRS;
use crate::comparison::{Comparison, Facts};
use crate::language::Language;
use crate::text::visible;

/// Pairs, below which the exact test is to be read first.
const FEW: usize = 300;

/// What the page is called.
pub fn title(l: Language, compared: &[Arc<Comparison>]) -> String {
    let others: Vec<String> = compared
        .iter()
        .map(|comparison| visible(&comparison.second.name))
        .collect();
    let base = visible(&compared[0].first.name);
    format!("{} {} {base}", others.join(", "), l.say("against", "frente a"))
}

/// The title and the sentences; between them what is said of how the runs were judged.
pub fn heading(l: Language, compared: &[Arc<Comparison>], judging: &Markup) -> Markup {
    html! {
        h1 dir="auto" { (title(l, compared)) }
        (judging)
        @for comparison in compared { p.summary { (sentence(l, comparison)) } }
        @if compared.len() > 1 {
            p.quiet {
                (l.say(
                    format!("These are {} comparisons. Of several, one shows a difference by chance sooner than one alone does.", compared.len()),
                    format!("Son {} comparaciones. Entre varias, es más fácil que una muestre una diferencia por azar.", compared.len()),
                ))
            }
        }
    }
}

/// The comparisons one after the other; `known` are settings of the model, if MongoDB could be read.
pub fn sections(
    l: Language,
    address: &Address,
    compared: &[Arc<Comparison>],
    known: Option<&[ModelSettings]>,
) -> Markup {
    html! {
        @for found in compared {
            section.comparison {
                @if compared.len() > 1 { h2 dir="auto" { (title(l, std::slice::from_ref(found))) } }
                p { (only(l, found)) @if !found.pairs.is_empty() { " " (discordant(l, found)) } }
                @if !found.pairs.is_empty() {
                    (reused(l, found))
                    (settings(l, found, known))
                    @if found.pairs.len() >= FEWEST_PAIRS { (figures::metrics(l, found)) (figures::of_all(l, found)) }
                }
                p.small {
                    a href=(swapped(address, found).link(l)) {
                        (l.say(format!("The other way round: {} against {}", visible(&found.first.name), visible(&found.second.name)),
                            format!("Al revés: {} frente a {}", visible(&found.first.name), visible(&found.second.name))))
                    }
                }
            }
        }
    }
}

fn swapped(address: &Address, found: &Comparison) -> Address {
    address.with(|other| {
        other.base = Some(found.second.name.clone());
        other.against = Some(found.first.name.clone());
    })
}

fn only(l: Language, found: &Comparison) -> String {
    let second = found.alone.iter().filter(|alone| alone.is_in_second).count();
    let (one, other) = (l.whole((found.alone.len() - second) as i64), l.whole(second as i64));
    let (first, second) = (visible(&found.first.name), visible(&found.second.name));
    l.say(
        format!("{one} questions only in {first}, {other} only in {second}."),
        format!("{one} preguntas solo en {first}, {other} solo en {second}."),
    )
}

/// On how many questions the second did better or worse, and the exact test of that.
fn discordant(l: Language, found: &Comparison) -> Markup {
    if !found.is_judged_alike() {
        return html! {};
    }
    let second = visible(&found.second.name);
    let [better, worse, same] = [found.better, found.worse, found.same].map(|count| l.whole(count as i64));
    let p = if found.p_value < 0.001 {
        format!("< {}", l.decimal(0.001, 3))
    } else {
        format!("= {}", l.decimal(found.p_value, 3))
    };
    html! {
        (l.say(
            format!("{second} did better on {better}, worse on {worse} and the same on {same}."),
            format!("A {second} le fue mejor en {better}, peor en {worse} e igual en {same}."),
        ))
        @if found.better + found.worse > 0 {
            (l.say(
                format!(" Were each as likely, so uneven a split would have p {p} (exact test on those that differ)."),
                format!(" Si ambas cosas fueran igual de probables, un reparto tan desigual tendría p {p} (prueba exacta sobre las que difieren)."),
            ))
            @if found.pairs.len() < FEW {
                (l.say(" With so few pairs, read that rather than the interval.", " Con tan pocos pares, fíese de esto antes que del intervalo."))
            }
        }
    }
}

/// Warns of answers that may be those of the other run.
fn reused(l: Language, found: &Comparison) -> Markup {
    let of = |run: &Facts| {
        (
            l.whole(run.served_without_call as i64),
            l.whole(run.outcomes as i64),
            visible(&run.name),
        )
    };
    let ((served, all, second), (first_served, first_all, first)) = (of(&found.second), of(&found.first));
    html! {
        @if found.first.served_without_call + found.second.served_without_call > 0 {
            p.warning {
                (l.say(
                    format!("Earlier answers served {served} of {all} in {second} and {first_served} of {first_all} in {first}, without a call. They may be those of the other run: for a comparison of models or settings, begin each run on an empty stack."),
                    format!("Respuestas anteriores sirvieron {served} de {all} en {second} y {first_served} de {first_all} en {first}, sin preguntar al modelo. Pueden ser de la otra ejecución: para comparar modelos o ajustes, empiece cada ejecución sin datos."),
                ))
            }
        }
    }
}

/// What the runs differ in; what is the same is folded.
fn settings(l: Language, found: &Comparison, known: Option<&[ModelSettings]>) -> Markup {
    let described = [&found.first, &found.second].map(|run| described(l, run, known.unwrap_or_default()));
    let [one, other] = described;
    let rows = one
        .into_iter()
        .zip(other)
        .map(|((name, first), (_, second))| (name, first, second));
    let (same, differ): (Vec<_>, Vec<_>) = rows.partition(|(_, first, second)| first == second);
    let table = |caption: &str, rows: &[(&str, String, String)]| {
        html! {
            table {
                caption { (caption) }
                thead { tr { th scope="col" { (l.say("Setting", "Ajuste")) } th scope="col" dir="auto" { (visible(&found.first.name)) } th scope="col" dir="auto" { (visible(&found.second.name)) } } }
                tbody { @for (name, first, second) in rows { tr { th scope="row" { (name) } td.text { (first) } td.text { (second) } } } }
            }
        }
    };
    html! {
        @if differ.is_empty() {
            p { (l.say("No setting that is known here differs.", "Ningún ajuste de los que se conocen aquí difiere.")) }
        } @else {
            (table(l.say("What differs", "Lo que difiere"), &differ))
        }
        @if !same.is_empty() {
            details {
                summary { (l.say(format!("{} settings are the same", same.len()), format!("{} ajustes son iguales", same.len()))) }
                (table(l.say("What is the same", "Lo que es igual"), &same))
            }
        }
        @if known.is_none() {
            p.quiet { (l.say("MongoDB cannot be read now, so prompts and modes are not known.", "Ahora no se puede leer MongoDB: no se conocen ni prompts ni modos.")) }
        }
    }
}

/// What is known of how a run was made.
fn described(l: Language, run: &Facts, known: &[ModelSettings]) -> [(&'static str, String); 6] {
    let of = |value: fn(&ModelSettings) -> &String| {
        let of_run = known.iter().filter(|settings| run.settings.contains(&settings.hash));
        joined(&of_run.map(|settings| value(settings).clone()).collect())
    };
    [
        (l.say("Models", "Modelos"), joined(&run.models)),
        (l.say("Mode", "Modo"), of(|settings| &settings.mode)),
        (
            l.say("Prompt versions", "Versiones del prompt"),
            of(|settings| &settings.prompt_version),
        ),
        (l.say("Model settings", "Ajustes del modelo"), joined(&run.settings)),
        (l.say("Scorers", "Evaluadores"), joined(&run.scorers)),
        (l.say("Thresholds", "Umbrales"), joined(&run.thresholds)),
    ]
}
