//! The page as HTML.

use jiff::Timestamp;
use maud::{Markup, html};

use super::charts::charts;
use super::condition::{Condition, Trouble, troubles};
use super::parts::parts;
use super::words::{age, clock, milliseconds, rate, seconds_between, several, span};
use crate::filler::Reading;
use crate::index::query::{Query, Run as OfRun};
use crate::language::Language;
use crate::sampler::{Decided, Run, Share, State};
use crate::text::visible;

/// The page around its content.
pub fn page(content: &Markup, l: Language) -> Markup {
    let old = l.say(
        "These figures are {} s old. Connecting again…",
        "Estas cifras tienen {} s. Conectando de nuevo…",
    );
    html! {
        h1 { (l.say("Now", "Ahora")) }
        p id="now-old" class="warning" data-text=(old) {}
        div id="now" data-events=(l.link("/now/events")) { (content) }
    }
}

/// What changes.
pub fn content(state: &State, reading: Option<Reading>, now: Timestamp, l: Language) -> Markup {
    let troubles = troubles(state, reading, now, l);
    let condition = Condition::of(state, &troubles);
    html! {
        (sentences(state, condition, &troubles, now, l))
        (figures(state, now, l))
        h2 { (l.say("The last hour", "La última hora")) }
        (charts(&state.history, now, l))
        h2 { (l.say("Parts", "Partes")) }
        (parts(state, reading, now, l))
        @if !troubles.is_empty() { (wrong(&troubles, l)) }
        p class="quiet small as-of" {
            (l.say("As of ", "A las ")) time datetime=(now.to_string()) { (clock(now)) }
            ". " a href=(l.link("")) { (l.say("Refresh", "Actualizar")) }
        }
    }
}

fn sentences(state: &State, condition: Condition, troubles: &[Trouble], now: Timestamp, l: Language) -> Markup {
    let class = if condition == Condition::Wrong {
        "summary wrong"
    } else {
        "summary"
    };
    html! {
        p class=(class) {
            // This alone is read out when it changes.
            strong aria-live="polite" { (condition.say(l, troubles)) }
            " "
            span { (pace(state, condition, now, l)) }
        }
        @if condition == Condition::Empty {
            p { code { "make traffic" } " " (l.say("sends questions.", "envía preguntas.")) }
        }
        p class="run" {
            @if let Some(run) = state.stored.value().and_then(|stored| stored.newest.as_ref()) { (newest(run, l)) }
        }
    }
}

/// How fast, and how long the oldest question waits.
fn pace(state: &State, condition: Condition, now: Timestamp, l: Language) -> String {
    let decided = state.decided.fresh();
    if condition == Condition::AtRest {
        let last = decided.and_then(|decided| decided.last);
        return last.map_or(String::new(), |last| {
            let ago = age(l, last, now);
            l.say(
                format!("The last verdict was {ago} ago."),
                format!("El último veredicto fue hace {ago}."),
            )
        });
    }
    let Some(decided) = decided.filter(|_| matches!(condition, Condition::Working | Condition::Wrong)) else {
        return String::new();
    };
    let speed = rate(l, decided.per_second);
    let Some(kafka) = state.kafka.fresh() else {
        return l.say(
            format!("{speed} questions/s decided."),
            format!("{speed} preguntas/s decididas."),
        );
    };
    let waits = match kafka
        .oldest()
        .and_then(|oldest| Timestamp::from_millisecond(oldest).ok())
    {
        Some(oldest) => {
            let age = span(l, seconds_between(oldest, now));
            l.say(
                format!("the oldest one waiting is {age} old"),
                format!("la más antigua en espera tiene {age}"),
            )
        }
        None => l.say("none waits for long", "ninguna espera mucho").to_owned(),
    };
    l.say(
        format!("{speed} questions/s decided; {waits}."),
        format!("{speed} preguntas/s decididas; {waits}."),
    )
}

/// How good the newest run is, and the way to its worst answers.
fn newest(run: &Run, l: Language) -> Markup {
    let count = |count: i64| usize::try_from(count).unwrap_or_default();
    let accepted = Share {
        count: count(run.accepted),
        of: count(run.decided),
    };
    html! {
        (l.say("Run ", "Ejecución ")) bdi { (visible(&run.name)) } ": "
        (share(accepted, l)) " " (l.say("accepted", "aceptadas")) " → "
        a href=(worst(&run.name, l)) { (l.say("worst answers of this run", "peores respuestas de esta ejecución")) }
    }
}

fn worst(run: &str, l: Language) -> String {
    let worst = Query::worst(OfRun::Named(run.to_owned()));
    l.link(format_args!("/questions?{}", worst.print()))
}

/// A share is shown with its count.
fn share(share: Share, l: Language) -> String {
    let counts = (l.count(share.count as u64), l.count(share.of as u64));
    let percent = share.value().map_or("–".to_owned(), |value| l.percent(value));
    let of = l.say("of", "de");
    format!("{percent} ({} {of} {})", counts.0, counts.1)
}

/// A figure, what it is of, and how old it is if it is old.
struct Figure {
    name: &'static str,
    number: String,
    note: String,
    age: Option<i64>,
}

fn figures(state: &State, now: Timestamp, l: Language) -> Markup {
    let decided = decided_figures(state.decided.value(), state.decided.too_old(now), l);
    let waiting = waiting_figures(state, now, l);
    let [speed, latency, errors, hits] = decided;
    let [waiting, model] = waiting;
    html! {
        dl class="figures" {
            @for figure in [speed, waiting, model, latency, errors, hits] {
                div class=[figure.age.map(|_| "old")] {
                    dt { (figure.name) }
                    dd { span class="value" { (figure.number) } span class="quiet small" {
                        @match figure.age {
                            Some(age) => { (age) " s " (l.say("old", "de antigüedad")) }
                            None => { (figure.note) }
                        }
                    } }
                }
            }
        }
    }
}

fn decided_figures(decided: Option<&Decided>, age: Option<i64>, l: Language) -> [Figure; 4] {
    let unknown = || "–".to_owned();
    let figure = |name, number: Option<String>, note| Figure {
        name,
        number: number.unwrap_or_else(unknown),
        note,
        age,
    };
    let of = |share: Share| {
        let counts = [share.count, share.of].map(|count| l.count(count as u64));
        l.say(
            format!("{} of {}", counts[0], counts[1]),
            format!("{} de {}", counts[0], counts[1]),
        )
    };
    let percent = |share: Share| share.value().map(|value| l.percent(value));
    let lately = decided.map_or(String::new(), |decided| {
        let window = span(l, decided.window_s.round());
        l.say(format!("over the last {window}"), format!("en los últimos {window}"))
    });
    let latency = |(p50, p99)| format!("{} · {}", milliseconds(l, p50), milliseconds(l, p99));
    let shares = |pick: fn(&Decided) -> Share| decided.map_or(Share::default(), pick);
    let (errors, hits) = (shares(|decided| decided.errors), shares(|decided| decided.hits));
    [
        figure(
            l.say("Decided/s", "Decididas/s"),
            decided.map(|decided| rate(l, decided.per_second)),
            l.say("over the last 5 s", "en los últimos 5 s").to_owned(),
        ),
        figure(
            l.say("Latency p50 · p99", "Latencia p50 · p99"),
            decided.and_then(|decided| decided.p50_p99).map(latency),
            lately,
        ),
        figure(l.say("Errors", "Errores"), percent(errors), of(errors)),
        figure(l.say("Hit rate", "Aciertos de caché"), percent(hits), of(hits)),
    ]
}

fn waiting_figures(state: &State, now: Timestamp, l: Language) -> [Figure; 2] {
    let age = state.kafka.too_old(now);
    let kafka = state.kafka.value();
    let number = |count: Option<u64>| count.map_or("–".to_owned(), |count| l.count(count));
    [
        Figure {
            name: l.say("Waiting", "En espera"),
            number: number(kafka.map(|kafka| kafka.undecided())),
            note: l
                .say("for longer than a second", "desde hace más de un segundo")
                .to_owned(),
            age,
        },
        Figure {
            name: l.say("At the model", "En el modelo"),
            number: number(kafka.map(|kafka| kafka.at_the_model())),
            note: l
                .say("being asked, or next in line", "en curso, o las siguientes")
                .to_owned(),
            age,
        },
    ]
}

fn wrong(troubles: &[Trouble], l: Language) -> Markup {
    let is_wrong = troubles.iter().any(|trouble| trouble.is_wrong);
    let title = if is_wrong {
        l.say("What is wrong", "Qué va mal")
    } else {
        l.say("Good to know", "Conviene saberlo")
    };
    let several = several(
        l,
        troubles.len() as i64,
        l.say("thing", "cosa"),
        l.say("things", "cosas"),
    );
    html! {
        h2 { (title) " " span class="quiet small" { (several) } }
        ul class="troubles" {
            @for trouble in troubles {
                li class=(if trouble.is_wrong { "wrong" } else { "" }) {
                    (trouble.what) " " span class="quiet" { (l.say("Look closer: ", "Para mirar de cerca: ")) code { (trouble.command) } }
                }
            }
        }
    }
}
