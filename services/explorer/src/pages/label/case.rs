//! The page of one case, and of the end of a sitting.

use maud::{Markup, html};

use super::sitting::{Said, Sitting};
use super::{Key, Press};
use crate::language::Language;
use crate::pages::question::Drawing;
use crate::store::labels::{Case, Chosen};
use crate::text::{encoded, visible};

/// What was said last.
pub struct Last {
    pub said: Said,
    pub case: Case,
}

impl Key {
    fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Skip => "skip",
            Self::Undo => "undo",
        }
    }

    fn text(self, l: Language) -> &'static str {
        match self {
            Self::Yes => l.say("Yes", "Sí"),
            Self::No => "No",
            Self::Skip => l.say("Skip", "Saltar"),
            Self::Undo => l.say("Undo", "Deshacer"),
        }
    }

    /// The key of the keyboard.
    fn letter(self) -> &'static str {
        match self {
            Self::Yes => "1",
            Self::No => "0",
            Self::Skip => "s",
            Self::Undo => "u",
        }
    }
}

/// A case with its keys, or what there is to say without one.
pub fn page(
    l: Language,
    sitting: &Sitting,
    case: Option<&Case>,
    left: usize,
    last: Option<&Last>,
    is_filling: bool,
) -> Markup {
    html! {
        div.label {
            @if let Some(case) = case {
                h1 { (l.say("Would a person accept this answer?", "¿Aceptaría una persona esta respuesta?")) }
                p.quiet { (progress(l, sitting, left)) }
                p.quiet.small { (what_counts(l)) }
                (texts(l, case))
                (keys(l, sitting, Some(case)))
            } @else {
                h1 { (l.say("That was the last one", "Esa era la última")) }
                p.summary { (end(l, sitting)) }
                @if is_filling {
                    p.warning { (l.say("The index is being made: there may be more soon.", "El índice se está haciendo: puede haber más pronto.")) }
                }
                (keys(l, sitting, None))
                p { a.button href=(sitting.again().link(l)) { (l.say("Go on", "Seguir")) } }
            }
            p.last aria-live="polite" { @if let Some(last) = last { (said_last(l, last)) } }
            (settings(l, sitting))
        }
    }
}

/// `make label` says the same (`calibration/sitting.py`).
fn what_counts(l: Language) -> &'static str {
    l.say(
        "Yes: it says what a reference says, in whatever words, and nothing that contradicts it. No: it says something \
         else, leaves out what was asked, or gives no answer.",
        "Sí: dice lo que dice una referencia, con las palabras que sea, y nada que la contradiga. No: dice otra cosa, \
         omite lo que se preguntaba o no responde.",
    )
}

/// Nothing here may tell what the judge thinks.
fn texts(l: Language, case: &Case) -> Markup {
    let drawing = Drawing {
        language: l,
        heaviest: 1.0,
        is_full: false,
    };
    html! {
        section aria-labelledby="asked" {
            h2 id="asked" { (l.say("Question", "Pregunta")) }
            (drawing.text(&case.question, &[]))
        }
        div.pair {
            section aria-labelledby="reference" {
                h2 id="reference" { (l.say("Reference", "Referencia")) }
                @for (number, reference) in case.references.iter().enumerate() {
                    @if number > 0 { h3.small.quiet { (l.say("or", "o")) " " (number + 1) } }
                    (drawing.text(reference, &[]))
                }
            }
            section aria-labelledby="answer" {
                h2 id="answer" { (l.say("Answer", "Respuesta")) }
                (drawing.text(&case.answer, &[]))
            }
        }
    }
}

fn keys(l: Language, sitting: &Sitting, case: Option<&Case>) -> Markup {
    let button = |key: Key, is_first: bool, is_off: bool| {
        html! {
            button.first[is_first] name="key" value=(key.name()) data-key=(key.letter()) disabled[is_off] {
                kbd { (key.letter()) } " " (key.text(l))
            }
            " "
        }
    };
    html! {
        form.keys id="case" method="post" action=(sitting.link(l)) {
            @if let Some(case) = case {
                input type="hidden" name="message_id" value=(case.outcome.id.as_str());
                input type="hidden" name="answer" value=(case.id);
                (button(Key::Yes, true, false))
                (button(Key::No, true, false))
                (button(Key::Skip, false, false))
            }
            (button(Key::Undo, false, sitting.said.is_empty()))
            p.warning id="not-stored" role="alert" hidden {
                (l.say("Not stored; press the key again. ", "No se guardó; pulse la tecla otra vez. ")) span {}
            }
        }
    }
}

fn progress(l: Language, sitting: &Sitting, left: usize) -> Markup {
    let done = sitting.said.len();
    let of = sitting.count.min(done + left);
    html! {
        (done + 1) (l.say(" of ", " de ")) (of) " · " (how(l, sitting)) " · " (counts(l, sitting))
        @if of < sitting.count {
            " · " (l.say(format!("there are no more than {of}, of {} asked for", sitting.count), format!("no hay más que {of}, de {} pedidas", sitting.count)))
        }
    }
}

fn how(l: Language, sitting: &Sitting) -> String {
    let seed = sitting.draw.seed;
    let how = match sitting.draw.chosen {
        Chosen::Unsure => l.say(
            "of which the judge was unsure, seed",
            "de las que el juez dudaba, semilla",
        ),
        _ => l.say("random draw, seed", "muestra aleatoria, semilla"),
    };
    let run = sitting
        .draw
        .run
        .as_ref()
        .map(|run| format!(" · {} {}", l.say("run", "ejecución"), visible(run)));
    format!("{how} {seed}{}", run.unwrap_or_default())
}

fn counts(l: Language, sitting: &Sitting) -> String {
    let labelled = sitting.labelled();
    let skipped = sitting.said.len() - labelled;
    l.say(
        format!("{labelled} yes or no, {skipped} skipped"),
        format!("{labelled} sí o no, {skipped} saltadas"),
    )
}

fn end(l: Language, sitting: &Sitting) -> Markup {
    html! {
        @if sitting.said.is_empty() {
            (l.say("There is no answer without a label in this draw: ", "En esta muestra no hay respuesta sin etiqueta: ")) (how(l, sitting)) ". "
        } @else {
            (counts(l, sitting)) ". "
            @if sitting.said.len() < sitting.count {
                (l.say("There were no more. ", "No había más. "))
            }
        }
        code { "make calibrate" } (l.say(" says what follows.", " dice qué se sigue de ello."))
    }
}

fn said_last(l: Language, last: &Last) -> Markup {
    let said = if last.said == Said::Yes {
        l.say("Yes", "Sí")
    } else {
        "No"
    };
    let judged = match last.case.is_accepted() {
        true => l.say("accepted", "aceptada"),
        false => l.say("not accepted", "no aceptada"),
    };
    html! {
        (l.say("Last: ", "La última: ")) strong { (said) } "; "
        (l.say("the judge said ", "el juez dijo ")) (judged) ", " (l.decimal(last.case.score.get(), 2)) ". "
        a href=(l.link(format!("/q/{}", encoded(last.case.outcome.id.as_str())))) { (l.say("Why", "Por qué")) }
    }
}

/// Another draw.
fn settings(l: Language, sitting: &Sitting) -> Markup {
    let draw = &sitting.draw;
    html! {
        details {
            summary { (l.say("Another draw", "Otra muestra")) }
            form.settings method="get" action=(l.link("/label")) {
                label { (l.say("From", "De")) " " select name="draw" {
                    option value="random" selected[draw.chosen == Chosen::Random] { (l.say("all, at random", "todas, al azar")) }
                    option value="unsure" selected[draw.chosen == Chosen::Unsure] { (l.say("the unsure ones", "las dudosas")) }
                } }
                label { (l.say("Run", "Ejecución")) " " input name="run" value=(draw.run.as_deref().unwrap_or_default()); }
                label { (l.say("Seed", "Semilla")) " " input name="seed" inputmode="numeric" value=(draw.seed); }
                @if !sitting.seen.is_empty() { input type="hidden" name="seen" value=(sitting.seen.join(".")); }
                label { (l.say("Cases", "Casos")) " " input name="count" inputmode="numeric" value=(sitting.count); }
                button { (l.say("Draw", "Sacar")) }
            }
            p.small.quiet { (l.say(
                "Labels of a random draw stand for all answers: agreement and bounds are measured on them. Labels of unsure ones serve fitting.",
                "Las etiquetas de una muestra aleatoria valen por todas las respuestas: con ellas se miden la concordancia y las cotas. Las de las dudosas sirven para el ajuste.",
            )) }
        }
    }
}

/// The same once more.
pub(super) fn again(l: Language, to: &str, press: &Press) -> Markup {
    html! {
        form method="post" action=(to) {
            input type="hidden" name="message_id" value=(press.message_id);
            input type="hidden" name="answer" value=(press.answer);
            button.first name="key" value=(press.key.name()) { (l.say("Try again", "Reintentar")) }
        }
    }
}
