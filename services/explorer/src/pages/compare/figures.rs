//! The figures of two runs, with their intervals as a chart beside them.

use maud::{Markup, html};

use super::sentence::{short, signed, with_sign};
use crate::comparison::statistics::{MARGIN, RESAMPLES};
use crate::comparison::{Comparison, Facts, Measure, Metric};
use crate::language::Language;
use crate::text::visible;

/// Width and height of the drawing of an interval.
const WIDTH: f64 = 160.0;
const HEIGHT: f64 = 20.0;

/// The measures by question; where two measures judged, those that do not depend on it.
pub fn metrics(l: Language, found: &Comparison) -> Markup {
    let is_shown = |metric: &&Metric| {
        found.is_judged_alike() || matches!(metric.measure, Measure::NoAnswer | Measure::ServedWithoutCall)
    };
    let metrics: Vec<&Metric> = found.metrics.iter().filter(is_shown).collect();
    let ends = metrics
        .iter()
        .flat_map(|metric| [metric.difference.low.abs(), metric.difference.high.abs()]);
    let widest = ends.fold(2.0 * MARGIN, f64::max);
    let pairs = l.whole(found.pairs.len() as i64);
    html! {
        table.metrics {
            caption {
                (l.say(
                    format!("Means over the {pairs} shared questions, each counted once, and their differences with 95 % intervals"),
                    format!("Medias sobre las {pairs} preguntas compartidas, cada una contada una vez, y sus diferencias con intervalos del 95 %"),
                ))
            }
            thead {
                tr {
                    th scope="col" { (l.say("Metric", "Medida")) }
                    th.number scope="col" dir="auto" { (visible(&found.first.name)) }
                    th.number scope="col" dir="auto" { (visible(&found.second.name)) }
                    th.number scope="col" { (l.say("Difference", "Diferencia")) }
                    th scope="col" colspan="2" { (l.say("95 % interval", "Intervalo del 95 %")) }
                    th scope="col" { (l.say("In words", "En palabras")) }
                }
            }
            tbody { @for metric in metrics { (row(l, found, metric, widest)) } }
        }
        p.quiet.small {
            (l.say(
                format!("Paired bootstrap over questions, {} draws; shaded is what would not matter, ±{} points. An error counts as not accepted. Only the first row is put in words: of several intervals one excludes 0 by chance.", l.whole(RESAMPLES as i64), 100.0 * MARGIN),
                format!("Bootstrap pareado sobre preguntas, {} sorteos; sombreado, lo que no importaría, ±{} puntos. Un error cuenta como no aceptada. Solo la primera fila se dice en palabras: entre varios intervalos, alguno excluye el 0 por azar.", l.whole(RESAMPLES as i64), 100.0 * MARGIN),
            ))
        }
    }
}

fn row(l: Language, found: &Comparison, metric: &Metric, widest: f64) -> Markup {
    let is_score = metric.measure == Measure::Score;
    let value = |value| {
        if is_score {
            l.decimal(value, 3)
        } else {
            l.percent(value)
        }
    };
    let change = |value| {
        if is_score {
            with_sign(l.decimal(value, 3))
        } else {
            signed(l, value)
        }
    };
    let unit = if is_score { "" } else { l.say(" points", " puntos") };
    let difference = metric.difference;
    let left_out = found.pairs.len() - difference.pairs;
    let word = found.word().filter(|_| metric.measure == Measure::Accepted);
    let cell = |label: &str, text: String| html! { td.number { span.label dir="auto" { (label) } (text) } };
    html! {
        tr {
            th scope="row" {
                (name(l, metric.measure))
                @if left_out > 0 {
                    span.quiet.small { (l.say(format!(" ({} left out: not in both)", l.whole(left_out as i64)), format!(" (sin {}: no está en ambas)", l.whole(left_out as i64)))) }
                }
            }
            (cell(&visible(&found.first.name), value(metric.first)))
            (cell(&visible(&found.second.name), value(metric.second)))
            (cell(l.say("Difference", "Diferencia"), format!("{}{unit}", change(difference.value))))
            td.number { span.label { (l.say("95 % interval", "Intervalo del 95 %")) } (change(difference.low)) " … " (change(difference.high)) }
            td { (interval(metric, widest)) }
            td { @if let Some(word) = word { (short(l, word)) } }
        }
    }
}

/// An interval as a line with its middle, around 0; the numbers stand beside it.
fn interval(metric: &Metric, widest: f64) -> Markup {
    let x = |share: f64| format!("{:.1}", WIDTH * (0.5 + share / widest * 0.48));
    let (low, middle, high) = (
        x(metric.difference.low),
        x(metric.difference.value),
        x(metric.difference.high),
    );
    let band = format!("{:.1}", WIDTH * 0.96 * MARGIN / widest);
    let half = HEIGHT / 2.0;
    html! {
        svg.interval width=(WIDTH) height=(HEIGHT) viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) aria-hidden="true" {
            rect.margin x=(x(-MARGIN)) y="0" width=(band) height=(HEIGHT) {}
            line.zero x1=(x(0.0)) y1="0" x2=(x(0.0)) y2=(HEIGHT) {}
            line.range x1=(low) y1=(half) x2=(high) y2=(half) {}
            circle cx=(middle) cy=(half) r="4" {}
        }
    }
}

fn name(l: Language, measure: Measure) -> &'static str {
    match measure {
        Measure::Accepted => l.say("Accepted", "Aceptadas"),
        Measure::AcceptedOfAnswered => l.say("Accepted, of those answered", "Aceptadas, de las respondidas"),
        Measure::NoAnswer => l.say("No answer (error)", "Sin respuesta (error)"),
        Measure::Score => l.say("Score", "Puntuación"),
        Measure::ServedWithoutCall => l.say("Served without a call", "Servidas sin llamar al modelo"),
    }
}

/// Figures that are not by question.
pub fn of_all(l: Language, found: &Comparison) -> Markup {
    let (one, other) = (&found.first, &found.second);
    let count = |run: &Facts| l.whole(run.outcomes as i64);
    let labels = [
        visible(&one.name),
        visible(&other.name),
        l.say("Difference", "Diferencia").to_owned(),
    ];
    html! {
        table.metrics {
            caption { (l.say("Of all outcomes, not by question, so without intervals", "De todos los resultados, no por pregunta: sin intervalos")) }
            thead {
                tr {
                    th scope="col" { (l.say("Metric", "Medida")) }
                    @for run in [one, other] { th.number scope="col" { span dir="auto" { (visible(&run.name)) } " " span.quiet { "(" (count(run)) ")" } } }
                    th.number scope="col" { (l.say("Difference", "Diferencia")) }
                }
            }
            tbody {
                @if found.is_judged_alike() { (row_of_all(l.say("Accepted", "Aceptadas"), &labels, accepted(l, one, other))) }
                @for (name, cells) in spent(l, one, other) { (row_of_all(name, &labels, cells)) }
            }
        }
    }
}

fn row_of_all(name: &str, labels: &[String; 3], cells: [String; 3]) -> Markup {
    html! {
        tr {
            th scope="row" { (name) }
            @for (label, cell) in labels.iter().zip(cells) { td.number { span.label dir="auto" { (label) } (cell) } }
        }
    }
}

/// How many were accepted in both, and the difference of the shares.
fn accepted(l: Language, one: &Facts, other: &Facts) -> [String; 3] {
    let share = |run: &Facts| run.accepted as f64 / run.judged.max(1) as f64;
    let of = |run: &Facts| match run.judged == run.outcomes {
        true => String::new(),
        false => format!(" {} {}", l.say("of", "de"), l.whole(run.judged as i64)),
    };
    let counted = |run| {
        format!(
            "{} · {}{}",
            l.percent(share(run)),
            l.whole(run.accepted as i64),
            of(run)
        )
    };
    let points = signed(l, share(other) - share(one));
    [
        counted(one),
        counted(other),
        format!("{points}{}", l.say(" points", " puntos")),
    ]
}

/// Time, attempts and money in both, and their differences.
fn spent(l: Language, one: &Facts, other: &Facts) -> [(&'static str, [String; 3]); 4] {
    let latency = |value: fn(&Facts) -> Option<i64>| {
        let shown = |value: Option<i64>| value.map_or("–".to_owned(), |value| l.whole(value));
        let change = value(one)
            .zip(value(other))
            .map(|(first, second)| with_sign(l.whole(second - first)));
        [shown(value(one)), shown(value(other)), change.unwrap_or("–".to_owned())]
    };
    let each = |sum: fn(&Facts) -> i64, unit: f64, decimals| {
        let value = |run: &Facts| sum(run) as f64 / unit / run.outcomes.max(1) as f64;
        let change = l.decimal(value(other) - value(one), decimals);
        [
            l.decimal(value(one), decimals),
            l.decimal(value(other), decimals),
            with_sign(change),
        ]
    };
    [
        (
            l.say("Latency p50, ms", "Latencia p50, ms"),
            latency(|run| run.latency_p50),
        ),
        (
            l.say("Latency p99, ms", "Latencia p99, ms"),
            latency(|run| run.latency_p99),
        ),
        (
            l.say("Attempts a question", "Intentos por pregunta"),
            each(|run| run.attempts, 1.0, 2),
        ),
        // Billionths of a dollar each: millionths of a dollar a thousand.
        (
            l.say("USD a thousand questions", "USD por mil preguntas"),
            each(|run| run.cost, 1e6, 4),
        ),
    ]
}
