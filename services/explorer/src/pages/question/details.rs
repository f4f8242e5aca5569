//! What is folded below a question: prompt, tokens and cost, the way through the topics, the whole outcome as JSON.

use contracts::message::{Cost, Usage};
use maud::{Markup, html};
use messaging::result_document::ResultDocument;

use super::attempts::Attempt;
use super::{Topics, View};
use crate::language::Language;
use crate::pages::moment::moment;
use crate::text::visible;
use crate::trail::{Record, Trail};

/// The prompt as it was sent for an attempt.
pub fn prompt(l: Language, view: &View, topics: &Topics, shown: Option<&Attempt>) -> Markup {
    let response = shown.and_then(|attempt| attempt.response.as_ref());
    html! {
        details id="prompt" {
            summary { (l.say("Prompt as it was sent", "Prompt tal como se envió")) }
            @match (topics, response) {
                (_, Some(response)) => div.text.box dir="auto" { (visible(&response.prompt)) },
                (Topics::Read(_), None) => p { (l.say(
                    "The topics have no answer of a model to this attempt.",
                    "Los tópicos no tienen respuesta de un modelo a este intento.",
                )) },
                (_, None) => (ask(l, view, topics)),
            }
        }
    }
}

/// Tokens and cost, of the attempt that is shown and of the whole request.
pub fn cost(l: Language, outcome: &ResultDocument, shown: Option<&Attempt>) -> Markup {
    let of_kept = || {
        outcome
            .facts
            .usage
            .clone()
            .filter(|_| shown.is_none_or(|attempt| attempt.is_kept))
    };
    let usage = shown
        .and_then(|attempt| attempt.response.as_ref()?.answer.usage.clone())
        .or_else(of_kept);
    html! {
        details {
            summary { (l.say("Tokens and cost", "Tokens y coste")) }
            @if usage.is_none() && outcome.facts.spent.is_none() {
                p { (l.say("Nothing is known of it: no model was asked, or it did not say.", "No se sabe nada: no se preguntó a ningún modelo, o no lo dijo.")) }
            } @else {
                table {
                    caption.unseen { (l.say("Tokens and cost", "Tokens y coste")) }
                    thead { tr {
                        th scope="col" { (l.say("Of what", "De qué")) }
                        th.number scope="col" { (l.say("Calls", "Llamadas")) }
                        th.number scope="col" { (l.say("Tokens sent", "Tokens enviados")) }
                        th.number scope="col" { (l.say("Tokens received", "Tokens recibidos")) }
                        th.number scope="col" { "USD" }
                    } }
                    tbody {
                        @if let Some(usage) = &usage { (used(l, usage)) }
                        @if let Some(spent) = &outcome.facts.spent {
                            (spent_on(l, l.say("the whole request", "toda la petición"), &spent.cost))
                            @for one in &spent.by_model { (spent_on(l, &one.model, &one.cost)) }
                        }
                    }
                }
                @if outcome.facts.spent.as_ref().is_some_and(|spent| spent.estimated) {
                    p.small { (l.say("Some of it is an estimate: a server did not say what it used.", "Una parte es estimada: un servidor no dijo cuánto usó.")) }
                }
            }
        }
    }
}

fn used(l: Language, usage: &Usage) -> Markup {
    html! {
        tr {
            th scope="row" { (l.say("this attempt", "este intento")) }
            td.number { "–" }
            td.number { (l.whole(usage.input_tokens)) }
            td.number { (l.whole(usage.output_tokens)) }
            td.number { @match usage.cost_usd { Some(cost) => (l.decimal(cost, 6)), None => "–" } }
        }
    }
}

fn spent_on(l: Language, what: &str, cost: &Cost) -> Markup {
    let whole = |number: u64| l.whole(i64::try_from(number).unwrap_or(i64::MAX));
    html! {
        tr {
            th scope="row" { (visible(what)) }
            td.number { (l.whole(cost.calls)) }
            td.number { (whole(cost.input_tokens)) }
            td.number { (whole(cost.output_tokens)) }
            td.number { (l.dollars(cost.nanodollars)) }
        }
    }
}

/// The way through the topics, as a time line.
pub fn way(l: Language, view: &View, topics: &Topics, outcome: &ResultDocument) -> Markup {
    let begins = outcome.asked_at.map(|asked_at| asked_at.timestamp_millis());
    html! {
        details id="way" open[view.trail] {
            summary { (l.say("The way through the topics", "El camino por los tópicos")) }
            @match topics {
                Topics::Read(trail) => {
                    (records(l, trail, begins))
                    @for topic in trail.gone(outcome) {
                        p.warning { (gone(l, topic)) " " (l.say("A record of ", "Un registro del ")) (moment(l, outcome.decided_at.timestamp_millis())) "." }
                    }
                },
                other => (ask(l, view, other)),
            }
        }
    }
}

fn gone(l: Language, topic: &str) -> String {
    l.say(
        format!("Kafka no longer has this in {topic}: it is older than the topic keeps records, or the topic was made anew."),
        format!("Ya no está en Kafka, en {topic}: es más antiguo de lo que el tópico conserva, o el tópico se creó de nuevo."),
    )
}

/// The records of a request, in the order of time.
pub fn records(l: Language, trail: &Trail, begins: Option<i64>) -> Markup {
    let begins = begins.or(trail.records.first().map(|record| record.written_at));
    html! {
        @if !trail.is_whole {
            p.warning { (l.say(
                "There was more to read than a look may take: records may be missing here.",
                "Había más que leer de lo que una consulta puede tardar: aquí pueden faltar registros.",
            )) }
        }
        @if !trail.records.is_empty() {
            table.way {
                caption { (l.say("From when it should have been asked", "Desde que debió preguntarse")) }
                thead { tr {
                    th.number scope="col" { (l.say("After", "Tras")) }
                    th scope="col" { (l.say("Topic", "Tópico")) }
                    th.number scope="col" { (l.say("Attempt", "Intento")) }
                    th.number scope="col" { (l.say("Partition", "Partición")) }
                    th.number scope="col" { "Offset" }
                    th.number scope="col" { "Bytes" }
                    th scope="col" { (l.say("Written", "Escrito")) }
                } }
                tbody { @for record in &trail.records { (row(l, record, begins)) } }
            }
        }
    }
}

fn row(l: Language, record: &Record, begins: Option<i64>) -> Markup {
    let after = begins.map_or(0, |begins| record.written_at - begins);
    html! {
        tr {
            td.number { (l.whole(after)) " ms" }
            th scope="row" { code { (record.topic) } }
            td.number { @match record.attempt() { Some(number) => (number), None => "–" } }
            td.number { (record.partition) }
            td.number { (l.whole(record.offset)) }
            td.number { (l.whole(i64::try_from(record.bytes).unwrap_or(i64::MAX))) }
            td { (moment(l, record.written_at)) }
        }
    }
}

/// The outcome as MongoDB has it, and the command that explains it in a terminal.
pub fn raw(l: Language, view: &View) -> Markup {
    let id = &view.id;
    let is_a_word = id
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter));
    html! {
        @if is_a_word { p { (l.say("In a terminal:", "En un terminal:")) " " code { "make explain QUESTION=" (id) } } }
        p { a href=(view.link(l, "/raw")) { (l.say("The whole outcome as JSON", "El resultado completo en JSON")) } }
    }
}

/// How the topics come to be read; and why they were not.
fn ask(l: Language, view: &View, topics: &Topics) -> Markup {
    html! {
        @match topics {
            Topics::Away(why) => {
                p.warning { (l.say("Kafka cannot be read: ", "No se puede leer Kafka: ")) (visible(why)) }
                p { a.button href=(view.with_trail(l)) { (l.say("Try again", "Reintentar")) } }
            },
            _ => p { a.button href=(view.with_trail(l)) { (l.say("Read it from the topics", "Leerlo de los tópicos")) } },
        }
    }
}
