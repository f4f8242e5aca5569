//! The table of outcomes; on a phone, each row is a card.

use contracts::message::{Source, Verdict};
use jiff::Timestamp;
use maud::{Markup, html};

use super::{address, columns, link, sorted};
use crate::index::query::{Column, Order, Query, Sort};
use crate::index::row;
use crate::index::search::{Listed, Shown};
use crate::language::Language;
use crate::text::visible;

/// The rows of a list. Each leads to its outcome, and takes the list along.
pub fn rows(l: Language, query: &Query, rows: &[Listed], now: i64) -> Markup {
    html! {
        div.wide {
            table.questions.more[query.shown_columns().next().is_some()] {
                caption.unseen { (l.say("Questions, their answers and verdicts", "Preguntas, sus respuestas y veredictos")) }
                thead { tr {
                    th.question scope="col" { (l.say("Question", "Pregunta")) }
                    th.answer scope="col" { (l.say("Answer", "Respuesta")) }
                    th.verdict scope="col" { (l.say("Verdict", "Veredicto")) }
                    (heading(l, query, Sort::Score))
                    (heading(l, query, Sort::Attempts))
                    th scope="col" { (l.say("Source", "Fuente")) }
                    th.subject scope="col" { (l.say("Subject", "Tema")) }
                    (heading(l, query, Sort::Latency))
                    @for column in query.shown_columns() {
                        @if column == Column::Cost { (heading(l, query, Sort::Cost)) } @else { th class=[columns::class(column)] scope="col" { (columns::name(l, column)) } }
                    }
                    (heading(l, query, Sort::Decided))
                } }
                tbody { @for row in rows { (line(l, query, row, now)) } }
            }
        }
    }
}

fn name(l: Language, sort: Sort) -> &'static str {
    match sort {
        Sort::Decided => l.say("Decided (UTC)", "Decidida (UTC)"),
        Sort::Score => l.say("Score", "Puntuación"),
        Sort::Latency => l.say("Latency", "Latencia"),
        Sort::Cost => columns::name(l, Column::Cost),
        Sort::Attempts => l.say("Attempts", "Intentos"),
    }
}

fn heading(l: Language, query: &Query, sort: Sort) -> Markup {
    let is_sorted = query.order.sort == sort;
    let (word, sign) = if query.order.descending {
        ("descending", " ▼")
    } else {
        ("ascending", " ▲")
    };
    html! {
        th.number scope="col" aria-sort=[is_sorted.then_some(word)] {
            a href=(link(l, &sorted(query, Order::by(sort, true)))) { (name(l, sort)) @if is_sorted { span aria-hidden="true" { (sign) } } }
        }
    }
}

fn line(l: Language, query: &Query, row: &Listed, now: i64) -> Markup {
    let shown = &row.shown;
    let label = |sort| name(l, sort);
    html! {
        tr {
            th.question scope="row" {
                a.cut href=(opened(l, query, shown)) dir="auto" {
                    @if shown.title.is_empty() { (l.say("(no text)", "(sin texto)")) } @else { (visible(&shown.title)) }
                }
                @if row.times > 1 {
                    span.quiet.small title=(l.say("outcomes with this answer", "resultados con esta respuesta")) { " ×" (l.count(row.times)) }
                }
            }
            td.answer { span.cut dir="auto" { @if shown.answer.is_empty() { "–" } @else { (visible(&shown.answer)) } } }
            td { (verdict(l, shown)) }
            td.number data-name=(label(Sort::Score)) { (score(l, shown)) }
            td.number data-name=(label(Sort::Attempts)) { (shown.attempts) }
            td data-name=(l.say("Source", "Fuente")) { (shown.source.as_deref().and_then(row::source).map_or("–", |source: Source| l.source(source))) }
            td.subject data-name=(l.say("Subject", "Tema")) { bdi { (visible(shown.subject.as_deref().unwrap_or("–"))) } }
            td.number data-name=(label(Sort::Latency)) { (shown.latency.map_or_else(|| "–".to_owned(), |latency| duration(l, latency))) }
            @for column in query.shown_columns() {
                td class=[columns::class(column)] data-name=(columns::name(l, column)) { (columns::value(l, column, shown)) }
            }
            td.number data-name=(label(Sort::Decided)) { (decided(l, shown.decided_at, now)) }
        }
    }
}

/// The address of an outcome, with the list from which it is opened.
fn opened(l: Language, query: &Query, shown: &Shown) -> String {
    let id: String = form_urlencoded::byte_serialize(shown.message_id.as_bytes()).collect();
    address(
        l,
        &format!("/q/{}", id.replace('+', "%20")),
        &query.at(crate::index::query::Place::First),
    )
}

fn verdict(l: Language, shown: &Shown) -> Markup {
    let verdict = row::verdict(&shown.verdict);
    let sign = match verdict {
        Some(Verdict::Accepted) => "✓",
        Some(Verdict::Exhausted) => "✕",
        Some(Verdict::Error) | None => "!",
    };
    html! {
        span.verdict.(shown.verdict) { span aria-hidden="true" { (sign) " " } (verdict.map_or("", |verdict| l.verdict(verdict))) }
        @if let Some(error) = &shown.error { br; " " span.quiet.small { (visible(error)) } }
        @if shown.unsure { br; " " span.quiet.small { (l.say("unsure", "dudosa")) } }
    }
}

/// The score, as a number and as a bar in which a tick is the threshold.
fn score(l: Language, shown: &Shown) -> Markup {
    let Some(score) = shown.score else {
        return html! { "–" };
    };
    html! {
        (l.decimal(score, 2))
        svg viewBox="0 0 100 10" width="60" height="6" aria-hidden="true" {
            rect.whole width="100" height="10" {}
            rect.(shown.verdict) width=(format!("{:.1}", 100.0 * score)) height="10" {}
            @if let Some(threshold) = shown.threshold {
                line x1=(format!("{:.1}", 100.0 * threshold)) x2=(format!("{:.1}", 100.0 * threshold)) y1="-2" y2="12" {}
            }
        }
    }
}

fn duration(l: Language, milliseconds: i64) -> String {
    match milliseconds {
        ..1000 => format!("{milliseconds}\u{a0}ms"),
        1000..60_000 => format!("{}\u{a0}s", l.decimal(milliseconds as f64 / 1000.0, 1)),
        _ => format!("{}\u{a0}min", l.decimal(milliseconds as f64 / 60_000.0, 1)),
    }
}

/// When it was decided: with its age while that says more than the day.
fn decided(l: Language, milliseconds: i64, now: i64) -> Markup {
    let time = Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    let seconds = (now - milliseconds).max(0) / 1000;
    let age = match seconds {
        ..60 => format!("{seconds}\u{a0}s"),
        60..3600 => format!("{}\u{a0}min", seconds / 60),
        _ => format!("{}\u{a0}h", seconds / 3600),
    };
    let (first, second) = if seconds < 86_400 {
        let age = l.say(format!("{age}\u{a0}ago"), format!("hace\u{a0}{age}"));
        (time.strftime("%H:%M:%S").to_string(), age)
    } else {
        (
            time.strftime("%Y-%m-%d").to_string(),
            time.strftime("%H:%M:%S").to_string(),
        )
    };
    html! {
        time datetime=(time) title=(time) { (first) }
        br;
        " " span.quiet.small { (second) }
    }
}
