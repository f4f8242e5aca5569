//! What each signal did to the score, and what held it back, in words.

use judge::{Class, Explanation, SignalShare};
use maud::{Markup, html};

use super::marks;
use crate::language::Language;
use crate::text::visible;

/// The push, in log-odds, that fills a bar: the same in every explanation, so that two can be compared.
const FULL: f64 = 3.0;
const BAR: f64 = 100.0;
/// A bar that can be seen.
const NOTABLE: f64 = 0.05;
const WORDS_SHOWN: usize = 3;

/// What keeps the score down, in a sentence; nothing where nothing does.
pub fn held_back_by(l: Language, explained: &Explanation) -> Option<String> {
    let worst = explained
        .signals
        .iter()
        .min_by(|one, other| one.contribution.total_cmp(&other.contribution))?;
    if worst.contribution >= 0.0 {
        return None;
    }
    let (reference, answer) = (&explained.reference_words, &explained.answer_words);
    let missing = counted(
        l,
        &marks::distinct(reference, Class::Missing),
        [
            "missing word",
            "missing words",
            "palabra que falta",
            "palabras que faltan",
        ],
    );
    let contradicting = counted(
        l,
        &marks::distinct(reference.iter().chain(answer), Class::Contradicts),
        [
            "contradicting word",
            "contradicting words",
            "palabra que contradice",
            "palabras que contradicen",
        ],
    );
    let without = l.decimal(worst.without_it, 3);
    let why = meaning(l, worst.name, worst.meaning);
    let most = l.say(
        format!("most of all, the answer {why} (without that {without})"),
        format!("sobre todo, la respuesta {why} (sin eso, {without})"),
    );
    let parts: Vec<String> = missing.into_iter().chain(contradicting).chain([most]).collect();
    Some(format!("{}: {}.", l.say("Held back by", "La frenan"), parts.join(", ")))
}

fn counted(l: Language, words: &[&judge::Mark], names: [&str; 4]) -> Option<String> {
    let [one, several, uno, varias] = names;
    let name = if words.len() == 1 {
        l.say(one, uno)
    } else {
        l.say(several, varias)
    };
    let shown: Vec<String> = words.iter().take(WORDS_SHOWN).map(|mark| visible(&mark.word)).collect();
    let more = if words.len() > WORDS_SHOWN { ", …" } else { "" };
    let count = l.whole(i64::try_from(words.len()).unwrap_or(i64::MAX));
    (!words.is_empty()).then(|| format!("{count} {name} ({}{more})", shown.join(", ")))
}

/// Those that push noticeably, the strongest first; the others are folded.
pub fn table(l: Language, explained: &Explanation) -> Markup {
    let mut signals: Vec<&SignalShare> = explained.signals.iter().collect();
    signals.sort_by(|one, other| {
        one.contribution
            .total_cmp(&other.contribution)
            .then(one.name.cmp(other.name))
    });
    let (shown, others): (Vec<&SignalShare>, Vec<_>) = signals
        .into_iter()
        .partition(|signal| signal.contribution.abs() >= NOTABLE);
    let pushing = others.iter().filter(|signal| signal.contribution != 0.0).count();
    let silent = others.len() - pushing;
    let scale = l.decimal(FULL, 0);
    html! {
        section aria-labelledby="signals" {
            h2 id="signals" { (l.say("What did what to the score", "Qué hizo qué con la puntuación")) }
            @if shown.is_empty() {
                p { (l.say("No signal pushes the score down noticeably.", "Ninguna señal baja la puntuación de forma apreciable.")) }
            } @else {
                (rows(l, &shown, &l.say(
                    format!("A full bar is {scale} of log-odds or more; to the left it pushes down. Without it: the score if nothing were wrong here."),
                    format!("Una barra llena es {scale} de log-odds o más; hacia la izquierda, baja. Sin ella: la puntuación si aquí nada estuviera mal."),
                )))
            }
            @if !others.is_empty() {
                details {
                    summary { (l.say(
                        format!("The others: {pushing} push too little to show, {silent} not at all"),
                        format!("Las demás: {pushing} empujan demasiado poco para mostrarlas; {silent}, nada"),
                    )) }
                    (rows(l, &others, l.say("All of them", "Todas ellas")))
                }
            }
        }
    }
}

fn rows(l: Language, signals: &[&SignalShare], caption: &str) -> Markup {
    let (here, without) = (l.say("Here", "Aquí"), l.say("Without it", "Sin ella"));
    html! {
        table.signals {
            caption { (caption) }
            thead { tr {
                th scope="col" { (l.say("The answer …", "La respuesta …")) }
                th.number scope="col" { (here) }
                th scope="col" { (l.say("Pushes the score", "Empuja la puntuación")) }
                th.number scope="col" { (without) }
            } }
            tbody {
                @for signal in signals {
                    tr {
                        th scope="row" { (meaning(l, signal.name, signal.meaning)) " " code.quiet { (signal.name) } }
                        td.number data-name=(here) { (l.decimal(signal.value.abs(), 2)) }
                        td { (bar(l, signal.contribution)) }
                        td.number data-name=(without) { (l.decimal(signal.without_it, 3)) }
                    }
                }
            }
        }
    }
}

/// From the middle to the left where it pushes the score down, to the right where it pushes it up.
fn bar(l: Language, contribution: f64) -> Markup {
    let length = (BAR * contribution.abs() / FULL).min(BAR);
    let from = if contribution < 0.0 { BAR - length } else { BAR };
    let class = if contribution < 0.0 { "down" } else { "up" };
    html! {
        svg.bar width=(2.0 * BAR) height="14" viewBox="0 0 200 14" role="img" {
            title { (l.decimal(contribution, 2)) }
            rect class=(class) x=(format!("{from:.1}")) y="2" width=(format!("{length:.1}")) height="10" {}
            line x1="100" x2="100" y1="0" y2="14" {}
        }
    }
}

/// What a signal says of the answer.
fn meaning(l: Language, name: &str, english: &'static str) -> String {
    let english = english.split(". ").next().unwrap_or_default().trim_end_matches('.');
    let text = l.say(english, spanish(name).unwrap_or(english));
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

fn spanish(name: &str) -> Option<&'static str> {
    Some(match name {
        "cosine" => "tiene palabras como las de la referencia",
        "uncovered" => "carece de palabras nuevas de la referencia",
        "unshared" => "carece de palabras de la referencia",
        "unlike" => "carece de palabras escritas como las de la referencia",
        "incomplete" => "omite la mayor parte de la explicación",
        "unrelated" => "habla sobre todo de otras cosas",
        "digressing" => "tiene frases sobre otro asunto",
        "beyond" => "añade palabras que la referencia no tiene",
        "scattered" => "no tiene la redacción exacta de la referencia",
        "lead_uncovered" => "carece de palabras con que empieza la referencia",
        "lead_names" => "carece de nombres con que empieza la referencia",
        "lead_numbers" => "carece de números con que empieza la referencia",
        "lead_beyond" => "empieza con palabras que no están en la referencia",
        "curt" => "es corta y está redactada de otro modo",
        "names_missing" => "carece de nombres de la referencia",
        "names_foreign" => "tiene nombres que no están en la referencia",
        "rivals" => "tiene muchos nombres que no están en la referencia",
        "numbers_missing" => "carece de números de la referencia",
        "numbers_replaced" => "tiene otro número que la referencia",
        "numbers_asked" => "carece del número por el que se pregunta",
        "polarity" => "niega otras palabras que la referencia",
        "denied" => "contradice una expresión de la referencia",
        "negations" => "tiene demasiadas o muy pocas negaciones",
        "clash" => "carece del sí o no de la referencia",
        "refusal" => "dice que no lo sabe",
        "uncertain" => "dice que no está segura",
        "unasked" => "carece de palabras de la pregunta",
        "stuffed" => "enumera palabras en vez de frases",
        "repeated" => "se repite",
        "reversed" => "tiene palabras en orden inverso",
        "substituted" => "tiene otro número en el mismo lugar",
        "exchanged" => "tiene dos palabras una en el lugar de la otra",
        "unfinished" => "termina en medio de una frase",
        "excess" => "es más larga que la referencia",
        "opposite" => "tiene lo contrario de una palabra en su lugar",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use judge::Signal;

    use super::*;

    #[test]
    fn every_signal_is_told_in_both_languages() {
        for signal in Signal::ALL {
            assert!(spanish(signal.name()).is_some(), "{}", signal.name());
        }
        assert_eq!(
            meaning(Language::English, "curt", Signal::Curt.meaning()),
            "is short and worded differently"
        );
    }
}
