//! Reference and answer at one height, with their marks.

use judge::Explanation;
use maud::{Markup, html};
use messaging::result_document::ResultDocument;

use super::attempts::{self, Attempt};
use super::marks::{self, MOST_MARKED};
use super::{Drawing, Shown, Topics};
use crate::judging::references;
use crate::language::Language;

/// Both texts, with what belongs to them.
pub fn pair(
    drawing: &Drawing,
    shown: &Shown<'_>,
    attempt: Option<&Attempt>,
    explained: Option<&Explanation>,
) -> Markup {
    let l = drawing.language;
    let references: Vec<&str> = references(shown.outcome).collect();
    let number = explained.map_or(0, |explained| explained.reference);
    let has_marks = explained.is_some_and(|explained| !is_long(explained));
    let of_reference = explained.map_or(&[][..], |explained| &explained.reference_words);
    html! {
        @if let Some(why) = unexplained(l, shown.outcome, attempt, explained) { p.quiet { (why) } }
        @if has_marks { (switch(l, shown)) }
        div.pair {
            section aria-labelledby="reference" {
                h2 id="reference" {
                    (l.say("Reference", "Referencia"))
                    @if references.len() > 1 { " " (number + 1) (l.say(" of ", " de ")) (references.len()) }
                    " " span.quiet.small { (l.say("a person", "una persona")) }
                }
                @match references.get(number) {
                    Some(text) => (drawing.text(text, of_reference)),
                    None => p.quiet { (l.say("Not known.", "No se conoce.")) },
                }
                (others(drawing, &references, number))
            }
            section aria-labelledby="answer" {
                h2 id="answer" {
                    (l.say("Answer", "Respuesta"))
                    @if let Some(attempt) = attempt.filter(|_| shown.outcome.error.is_some()) {
                        " " span.quiet.small { (l.say("of attempt ", "del intento ")) (attempt.number) (l.say(", before the error", ", antes del error")) }
                    }
                }
                @if let Some(attempt) = attempt {
                    (attempts::tabs(l, shown.view, shown.attempts, attempt))
                    (answer(drawing, shown, attempt, explained))
                } @else {
                    p.quiet { (l.say("No model has answered.", "Ningún modelo ha respondido.")) }
                }
            }
        }
        @if has_marks { (marks::legend(l)) }
    }
}

fn answer(drawing: &Drawing, shown: &Shown<'_>, attempt: &Attempt, explained: Option<&Explanation>) -> Markup {
    let l = drawing.language;
    let words = explained.map_or(&[][..], |explained| &explained.answer_words);
    html! {
        @match (&attempt.text, shown.topics) {
            (Some(text), _) if text.trim().is_empty() => p.quiet { (l.say("It is empty.", "Está vacía.")) },
            (Some(text), _) => (drawing.text(text, words)),
            (None, Topics::Read(_)) => p.warning { (l.say(
                "Kafka no longer has the text of this attempt; MongoDB keeps that of the best one.",
                "El texto de este intento ya no está en Kafka; MongoDB guarda el del mejor.",
            )) },
            (None, Topics::Away(_)) => p.warning {
                (l.say("Only the topics have this text, and Kafka cannot be read. ", "Solo los tópicos tienen este texto, y no se puede leer Kafka. "))
                a href=(shown.view.with_trail(l)) { (l.say("Try again", "Reintentar")) }
            },
            (None, Topics::NotAsked) => p { a.button href=(shown.view.of_attempt(l, attempt)) {
                (l.say("Read this attempt from the topics", "Leer este intento de los tópicos"))
            } },
        }
        @if attempt.is_cut_off { p.quiet.small { (l.say("Cut off by the limit of tokens.", "Cortada por el límite de tokens.")) } }
    }
}

/// The references that did not count.
fn others(drawing: &Drawing, references: &[&str], counted: usize) -> Markup {
    let l = drawing.language;
    html! {
        @if references.len() > 1 {
            details {
                summary { (l.say("The other references", "Las otras referencias")) }
                @for (number, text) in references.iter().enumerate() {
                    @if number != counted {
                        h3.small.quiet { (number + 1) }
                        (drawing.text(text, &[]))
                    }
                }
            }
        }
    }
}

/// Turns the marks on and off; with the key `m`, too.
fn switch(l: Language, shown: &Shown<'_>) -> Markup {
    let (on, off) = (l.say("Marks on", "Poner marcas"), l.say("Marks off", "Quitar marcas"));
    let (text, other) = if shown.view.marks { (off, on) } else { (on, off) };
    html! {
        p.switch {
            a.button id="marks" href=(shown.view.with_marks(l, !shown.view.marks)) data-text=(other)
                data-href=(shown.view.with_marks(l, shown.view.marks)) { (text) }
            " " kbd { "m" }
        }
    }
}

fn unexplained(
    l: Language,
    outcome: &ResultDocument,
    attempt: Option<&Attempt>,
    explained: Option<&Explanation>,
) -> Option<String> {
    let attempt = attempt.filter(|attempt| attempt.text.is_some())?;
    if let Some(explained) = explained {
        let most = l.whole(i64::try_from(MOST_MARKED).unwrap_or(i64::MAX));
        let why = l.say(
            format!("With more than {most} words in a text, marks help nobody."),
            format!("Con más de {most} palabras en un texto, las marcas no ayudan a nadie."),
        );
        return is_long(explained).then_some(why);
    }
    Some(match &attempt.scorer {
        _ if references(outcome).next().is_none() => l
            .say(
                "There is no reference to compare it with.",
                "No hay referencia con que compararla.",
            )
            .into(),
        None => l
            .say(
                "It was not scored: nothing can be marked.",
                "No se puntuó: no hay nada que marcar.",
            )
            .into(),
        Some(hash) => l.say(
            format!("MongoDB does not have the scorer {hash} any more: nothing can be marked."),
            format!("MongoDB ya no tiene el puntuador {hash}: no hay nada que marcar."),
        ),
    })
}

fn is_long(explained: &Explanation) -> bool {
    explained.answer_words.len().max(explained.reference_words.len()) > MOST_MARKED
}
