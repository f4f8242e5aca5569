//! The verdict in sentences.

use contracts::message::{Confidence, Verdict};
use maud::{Markup, html};
use messaging::result_document::{ErrorDetail, ResultDocument};

use super::attempts::Attempt;
use crate::language::Language;
use crate::pages::moment::moment;
use crate::text::visible;

/// The verdict, and where it comes from.
pub fn verdict(l: Language, outcome: &ResultDocument, attempts: &[Attempt]) -> Markup {
    let verdict = outcome.facts.verdict;
    let (class, icon) = match verdict {
        Verdict::Accepted => ("accepted", "✓"),
        Verdict::Exhausted => ("exhausted", "✕"),
        Verdict::Error => ("error", "!"),
    };
    let is_cut_off =
        verdict == Verdict::Exhausted && attempts.iter().any(|attempt| attempt.is_kept && attempt.is_cut_off);
    html! {
        p.summary {
            strong class=(format!("verdict {class}")) { span aria-hidden="true" { (icon) } " " (l.verdict(verdict)) }
            @if let Some(score) = outcome.facts.score { (scored(l, outcome, score.get())) }
            "."
            @if outcome.facts.confidence == Some(Confidence::Unsure) {
                " " (l.say("The judge is unsure: it errs often around this score.", "El juez duda: se equivoca a menudo cerca de esta puntuación."))
            }
            @if is_cut_off {
                " " (l.say("The answer was cut off, and half an answer is never accepted.", "La respuesta quedó cortada, y media respuesta nunca se acepta."))
            }
        }
        @if let Some(error) = &outcome.error { (failure(l, error)) }
        @if let Some(at) = outcome.forgotten_at {
            p.warning {
                (l.say("A person had its texts forgotten: ", "Una persona pidió olvidar sus textos: "))
                (moment(l, at.timestamp_millis()))
            }
        }
        p.quiet.small { (facts(l, outcome)) }
    }
}

fn scored(l: Language, outcome: &ResultDocument, score: f64) -> String {
    let score = l.decimal(score, 3);
    let best = match outcome.facts.attempts {
        0 | 1 => String::new(),
        number => l.say(
            format!(", best of {number} attempts"),
            format!(", la mejor de {number} intentos"),
        ),
    };
    let at = outcome.threshold.map(|threshold| {
        // As it was set.
        let threshold = threshold.get().to_string().replace('.', l.say(".", ","));
        l.say(format!(", threshold {threshold}"), format!(", umbral {threshold}"))
    });
    let at = at.unwrap_or_default();
    l.say(
        format!(": score {score}{best}{at}"),
        format!(": puntuación {score}{best}{at}"),
    )
}

fn failure(l: Language, error: &ErrorDetail) -> Markup {
    html! {
        p.warning dir="auto" {
            code { (visible(&error.kind)) } ": " (visible(&error.detail)) br;
            (l.say("Asking again is worth it from ", "Vale la pena volver a preguntar desde "))
            (moment(l, error.retry_at.timestamp_millis()))
        }
    }
}

fn facts(l: Language, outcome: &ResultDocument) -> Markup {
    let named = [
        (l.say("model", "modelo"), outcome.model.as_deref()),
        (l.say("run", "ejecución"), outcome.run.as_ref().map(|run| run.as_str())),
        (l.say("subject", "tema"), outcome.topic.as_deref()),
        (l.say("scorer", "puntuador"), outcome.scorer.as_deref()),
    ];
    html! {
        @if let Some(source) = outcome.facts.source { (l.source(source)) " · " }
        @for (name, value) in named {
            @if let Some(value) = value { (name) " " (visible(value)) " · " }
        }
        @if let Some(latency) = outcome.facts.latency_ms { (l.whole(latency)) " ms · " }
        (moment(l, outcome.decided_at.timestamp_millis()))
    }
}
