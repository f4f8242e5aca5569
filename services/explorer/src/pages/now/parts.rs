//! Every part, how it is, and what waits for it.

use jiff::Timestamp;
use maud::{Markup, html};

use super::condition::job as trouble_of_job;
use super::words::{age, seconds_between, several, since, span};
use crate::filler::Reading;
use crate::language::Language;
use crate::sampler::{Backlog, Flink, JOB, Kafka, Seen, State, Stored, WORK};

/// How a part is.
struct Part {
    name: String,
    /// `None` where it is not known.
    is_well: Option<bool>,
    state: String,
    lag: String,
}

/// The table of all parts.
pub fn parts(state: &State, reading: Option<Reading>, now: Timestamp, l: Language) -> Markup {
    let services = ["cache-service", "llm-consumer"].map(|name| service(name, &state.kafka, now, l));
    let rest = [
        job(state, now, l),
        service("storage-service", &state.kafka, now, l),
        server("Kafka", &state.kafka, now, l),
        mongodb(&state.stored, now, l),
        index(state, reading, now, l),
    ];
    html! {
        table class="parts" {
            caption { (l.say("Every part, and how many records wait for it", "Cada parte, y cuántos registros le esperan")) }
            thead { tr {
                th scope="col" { (l.say("Part", "Parte")) }
                th scope="col" { (l.say("State", "Estado")) }
                th scope="col" { (l.say("Lag by topic", "Retraso por tópico")) }
            } }
            tbody { @for part in services.into_iter().chain(rest) { (row(&part)) } }
        }
    }
}

fn row(part: &Part) -> Markup {
    let (class, sign) = match part.is_well {
        Some(true) => ("well", "●"),
        Some(false) => ("wrong", "▲"),
        None => ("quiet", "○"),
    };
    html! {
        tr {
            th scope="row" { (part.name) }
            td { span class=(class) aria-hidden="true" { (sign) } " " (part.state) }
            td { (part.lag) }
        }
    }
}

fn service(name: &'static str, kafka: &Seen<Kafka>, now: Timestamp, l: Language) -> Part {
    let groups = || WORK.iter().filter(|work| work.part == name);
    let copies = kafka
        .fresh()
        .and_then(|kafka| groups().filter_map(|work| kafka.members.get(work.group)).min());
    let state = match copies {
        Some(0) => l.say("does not run", "no está en marcha").to_owned(),
        Some(&copies) => several(l, copies as i64, l.say("copy", "copia"), l.say("copies", "copias")),
        None => unknown("Kafka", kafka, l),
    };
    let lags = groups()
        .flat_map(|work| work.topics)
        .map(|topic| lag(topic, kafka, now, l))
        .collect::<Vec<_>>();
    Part {
        name: name.into(),
        is_well: copies.map(|&copies| copies > 0),
        state,
        lag: lags.join(" · "),
    }
}

/// What is said of a part that a source tells of, while that says nothing.
fn unknown<T>(source: &str, seen: &Seen<T>, l: Language) -> String {
    match seen.away {
        Some(_) => l.say(
            format!("not known: {source} does not answer"),
            format!("no se sabe: {source} no responde"),
        ),
        None => l.say("not known yet", "aún no se sabe").to_owned(),
    }
}

/// `questions_in 12 (0.4 s)`: how many records wait, and how long the oldest does.
fn lag(topic: &str, kafka: &Seen<Kafka>, now: Timestamp, l: Language) -> String {
    let found = kafka
        .fresh()
        .and_then(|kafka| kafka.backlogs.iter().find(|backlog| backlog.topic == topic));
    let Some(Backlog { waiting, oldest, .. }) = found else {
        return format!("{topic} –");
    };
    let age = oldest
        .and_then(|oldest| Timestamp::from_millisecond(oldest).ok())
        .map(|oldest| span(l, seconds_between(oldest, now)));
    let age = age.map_or(String::new(), |age| format!(" ({age})"));
    format!("{topic} {}{age}", l.count(*waiting))
}

fn job(state: &State, now: Timestamp, l: Language) -> Part {
    let flink = state.flink.fresh();
    let is_well = flink.map(|flink| {
        flink.taskmanagers > 0 && flink.job.is_some() && trouble_of_job(flink.job.as_ref(), now, l).is_none()
    });
    Part {
        name: l.say("Flink job", "Trabajo de Flink").into(),
        is_well,
        state: flink.map_or_else(
            || unknown("Flink", &state.flink, l),
            |flink| state_of_job(flink, now, l),
        ),
        lag: WORK
            .iter()
            .filter(|work| work.part == JOB)
            .flat_map(|work| work.topics)
            .map(|topic| lag(topic, &state.kafka, now, l))
            .collect(),
    }
}

fn state_of_job(flink: &Flink, now: Timestamp, l: Language) -> String {
    let managers = several(
        l,
        i64::try_from(flink.taskmanagers).unwrap_or(i64::MAX),
        "TaskManager",
        "TaskManagers",
    );
    let Some(job) = &flink.job else {
        return l.say(format!("no job; {managers}"), format!("ningún trabajo; {managers}"));
    };
    let ago = |at| age(l, at, now);
    let runs = if job.works {
        let length = ago(job.started);
        l.say(format!("up {length}"), format!("en marcha desde hace {length}"))
    } else {
        job.state.clone()
    };
    let saved = match job.saved {
        Some(at) => l.say(
            format!("checkpoint {} ago", ago(at)),
            format!("punto de control hace {}", ago(at)),
        ),
        None => l.say("no checkpoint yet", "sin punto de control aún").to_owned(),
    };
    format!("{runs}; {saved}; {managers}")
}

fn server<T>(name: &str, seen: &Seen<T>, now: Timestamp, l: Language) -> Part {
    let (is_well, state) = match (&seen.away, &seen.last) {
        (Some(away), _) => {
            let began = since(l, away.since, now);
            (
                Some(false),
                l.say(format!("does not answer, {began}"), format!("no responde, {began}")),
            )
        }
        (None, Some(_)) => (Some(true), l.say("answers", "responde").to_owned()),
        (None, None) => (None, l.say("not known yet", "aún no se sabe").to_owned()),
    };
    Part {
        name: name.into(),
        is_well,
        state,
        lag: String::new(),
    }
}

fn mongodb(stored: &Seen<Stored>, now: Timestamp, l: Language) -> Part {
    let mut part = server("MongoDB", stored, now, l);
    if let Some(stored) = stored.fresh() {
        let decided = l.whole(stored.decided);
        part.state += &l.say(format!("; {decided} decided"), format!("; {decided} decididas"));
    }
    part
}

fn index(state: &State, reading: Option<Reading>, now: Timestamp, l: Language) -> Part {
    let name = l.say("The explorer's index", "Índice del explorador");
    match reading {
        Some(Reading { done, of }) if state.decided.away.is_none() => {
            let share = l.percent(done.min(of) as f64 / of.max(1) as f64);
            let state = l.say(
                format!("is being read anew: {share}"),
                format!("se está leyendo de nuevo: {share}"),
            );
            Part {
                name: name.into(),
                is_well: Some(true),
                state,
                lag: String::new(),
            }
        }
        _ => server(name, &state.decided, now, l),
    }
}
