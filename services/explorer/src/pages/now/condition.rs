//! How it is, in words, and what is wrong.

use jiff::Timestamp;

use super::words::{age, seconds_between, several, since, span};
use crate::filler::Reading;
use crate::language::Language;
use crate::sampler::{Away, Backlog, JOB, Job, Kafka, State, WORK, Work};

/// From so many on, checkpoints that failed one after the other are no accident (`flink_job/flink_rest.py`).
const FAILURES: usize = 2;
/// A checkpoint is late after so many intervals, or this time, whichever is longer.
const INTERVALS: f64 = 6.0;
const LATE_S: f64 = 120.0;
/// A backlog is old from here on.
const OLD_S: f64 = 60.0;

/// Something that is wrong, or that one should know.
#[derive(Debug, PartialEq, Eq)]
pub struct Trouble {
    pub what: String,
    /// What to look at, by which command.
    pub command: &'static str,
    /// Whether anything is wrong at all.
    pub is_wrong: bool,
}

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing is known yet.
    Beginning,
    /// Nothing was ever decided, and nothing waits.
    Empty,
    Working,
    AtRest,
    Wrong,
}

impl Condition {
    /// What comes to this.
    pub fn of(state: &State, troubles: &[Trouble]) -> Self {
        let decided = state.decided.fresh();
        let waits = state.kafka.fresh().is_some_and(|kafka| kafka.undecided() > 0);
        let known = state.stored.fresh().is_some_and(|stored| stored.decided > 0);
        if troubles.iter().any(|trouble| trouble.is_wrong) {
            Self::Wrong
        } else if waits || decided.is_some_and(|decided| decided.per_second > 0.0) {
            Self::Working
        } else if decided.is_none() || state.stored.fresh().is_none() || state.kafka.fresh().is_none() {
            Self::Beginning
        } else if known || decided.is_some_and(|decided| decided.last.is_some()) {
            Self::AtRest
        } else {
            Self::Empty
        }
    }

    /// The sentence.
    pub fn say(self, l: Language, troubles: &[Trouble]) -> String {
        match self {
            Self::Beginning => l.say("Looking at every part…", "Mirando cada parte…").into(),
            Self::Empty => l.say("Nothing decided yet.", "Aún no hay nada decidido.").into(),
            Self::Working => l.say("Working.", "Funciona.").into(),
            Self::AtRest => l
                .say(
                    "At rest: everything that was asked is decided.",
                    "En reposo: todo lo preguntado está decidido.",
                )
                .into(),
            Self::Wrong => {
                let wrong = troubles.iter().filter(|trouble| trouble.is_wrong).count();
                match wrong {
                    1 => l
                        .say("Something is wrong; see below.", "Algo va mal; véase abajo.")
                        .into(),
                    _ => l.say(
                        format!("{wrong} things are wrong; see below."),
                        format!("{wrong} cosas van mal; véase abajo."),
                    ),
                }
            }
        }
    }
}

/// What is wrong, the worst first.
pub fn troubles(state: &State, reading: Option<Reading>, now: Timestamp, l: Language) -> Vec<Trouble> {
    let mut found = silences(state, now, l);
    if let Some(kafka) = state.kafka.fresh() {
        found.extend(absences(kafka, l));
    }
    if let Some(flink) = state.flink.fresh() {
        let none = l.say(
            "Flink has no TaskManager: the job cannot run.",
            "Flink no tiene ningún TaskManager: el trabajo no puede ejecutarse.",
        );
        found.extend((flink.taskmanagers == 0).then(|| wrong(none, "make logs SERVICE=taskmanager")));
        found.extend(job(flink.job.as_ref(), now, l));
    }
    if let Some(kafka) = state.kafka.fresh() {
        found.extend(kafka.backlogs.iter().filter_map(|backlog| growing(backlog, now, l)));
    }
    found.extend(reading.map(|reading| being_read(reading, l)));
    found
}

fn wrong(what: impl Into<String>, command: &'static str) -> Trouble {
    Trouble {
        what: what.into(),
        command,
        is_wrong: true,
    }
}

/// Sources that do not answer.
fn silences(state: &State, now: Timestamp, l: Language) -> Vec<Trouble> {
    let silent = |name: &str, away: &Option<Away>, command| {
        let Away { since: began, why } = away.as_ref()?;
        let began = since(l, *began, now);
        let what = l.say(
            format!("{name} does not answer, {began}: {why}."),
            format!("{name} no responde, {began}: {why}."),
        );
        Some(wrong(what, command))
    };
    let index = l.say("The explorer's index", "El índice del explorador");
    let sources = [
        silent("Kafka", &state.kafka.away, "make logs SERVICE=kafka"),
        silent("MongoDB", &state.stored.away, "make logs SERVICE=mongo"),
        silent("Flink", &state.flink.away, "make logs SERVICE=jobmanager"),
        silent(index, &state.decided.away, "make logs SERVICE=explorer"),
    ];
    sources.into_iter().flatten().collect()
}

/// Services of which no copy takes part in the work.
fn absences(kafka: &Kafka, l: Language) -> Vec<Trouble> {
    let absent = WORK.iter().filter(|work| kafka.members.get(work.group) == Some(&0));
    let said = |work: &Work| {
        let waiting: u64 = kafka
            .backlogs
            .iter()
            .filter(|backlog| backlog.group == work.group)
            .map(|backlog| backlog.waiting)
            .sum();
        let (part, topics, waiting_so) = (work.part, work.topics.join(", "), l.count(waiting));
        let what = match waiting {
            0 => l.say(
                format!("{part} does not run: nobody reads {topics}."),
                format!("{part} no está en marcha: nadie lee {topics}."),
            ),
            _ => l.say(
                format!("{part} does not run, and {waiting_so} records wait for it in {topics}."),
                format!("{part} no está en marcha, y {waiting_so} registros le esperan en {topics}."),
            ),
        };
        wrong(what, logs_of(work.part))
    };
    absent.map(said).collect()
}

/// How to look closer at a part.
pub fn logs_of(part: &str) -> &'static str {
    match part {
        "cache-service" => "make logs SERVICE=cache-service",
        "llm-consumer" => "make logs SERVICE=llm-consumer",
        "storage-service" => "make logs SERVICE=storage-service",
        JOB => "make logs SERVICE=flink-submit",
        _ => "make status",
    }
}

/// What is wrong with the job.
pub fn job(job: Option<&Job>, now: Timestamp, l: Language) -> Option<Trouble> {
    let command = logs_of(JOB);
    let Some(job) = job else {
        let gone = l.say(
            "Flink knows no job: no answer gets a verdict.",
            "Flink no conoce ningún trabajo: ninguna respuesta recibe veredicto.",
        );
        return Some(wrong(gone, command));
    };
    let state = &job.state;
    if !job.works {
        let what = if state == "RUNNING" {
            l.say(
                "Not every task of the Flink job runs.",
                "No se ejecutan todas las tareas del trabajo de Flink.",
            )
            .to_owned()
        } else {
            l.say(
                format!("The Flink job is {state}."),
                format!("El trabajo de Flink está {state}."),
            )
        };
        return Some(wrong(what, command));
    }
    let since = job.saved.unwrap_or(job.started);
    let ago = age(l, since, now);
    let saved = match job.saved {
        Some(_) => l.say(format!("the last was {ago} ago"), format!("el último fue hace {ago}")),
        None => l.say("there is none yet", "aún no hay ninguno").to_owned(),
    };
    if job.failures >= FAILURES {
        let why = job.failure.as_deref().map_or(String::new(), |why| format!(": {why}"));
        let count = job.failures;
        let what = l.say(
            format!("The newest {count} checkpoints of the Flink job failed; {saved}{why}."),
            format!("Los últimos {count} puntos de control del trabajo de Flink fallaron; {saved}{why}."),
        );
        return Some(wrong(what, command));
    }
    let is_late = seconds_between(since, now) > LATE_S.max(INTERVALS * job.save_every.as_secs_f64());
    let late = l.say(
        format!("The Flink job saves no checkpoint: {saved}."),
        format!("El trabajo de Flink no guarda puntos de control: {saved}."),
    );
    is_late.then(|| wrong(late, command))
}

/// A backlog that is old, and grows.
fn growing(backlog: &Backlog, now: Timestamp, l: Language) -> Option<Trouble> {
    let Backlog {
        topic,
        group,
        waiting,
        a_minute_ago,
        oldest,
    } = backlog;
    let age = seconds_between(Timestamp::from_millisecond((*oldest)?).ok()?, now);
    let grew = waiting.checked_sub((*a_minute_ago)?).filter(|grew| *grew > 0)?;
    let part = WORK.iter().find(|work| work.group == *group)?.part;
    let (waiting, age_said, grew) = (l.count(*waiting), span(l, age), l.count(grew));
    let what = l.say(
        format!("{part} falls behind: {waiting} records wait in {topic}, {grew} more than a minute ago, the oldest for {age_said}."),
        format!("{part} se retrasa: {waiting} registros esperan en {topic}, {grew} más que hace un minuto, el más antiguo desde hace {age_said}."),
    );
    (age > OLD_S).then(|| wrong(what, logs_of(part)))
}

/// Not wrong: the list is not whole yet.
fn being_read(reading: Reading, l: Language) -> Trouble {
    let Reading { done, of } = reading;
    let share = l.percent(done.min(of) as f64 / of.max(1) as f64);
    let counts = several(
        l,
        i64::try_from(of).unwrap_or(i64::MAX),
        l.say("result", "resultado"),
        l.say("results", "resultados"),
    );
    let done = l.count(done);
    let what = l.say(
        format!("The list is being read anew: it covers {share} so far ({done} of {counts})."),
        format!("La lista se está leyendo de nuevo: por ahora cubre el {share} ({done} de {counts})."),
    );
    Trouble {
        what,
        command: "make logs SERVICE=explorer",
        is_wrong: false,
    }
}
