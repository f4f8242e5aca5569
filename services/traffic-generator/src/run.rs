//! One run, from its settings to its record.

use std::collections::BTreeMap;

use contracts::message::QuestionMessage;
use contracts::topic::Message as _;
use contracts::value::now;
use messaging::producer::Producer;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::arrivals::Arrivals;
use crate::askers::Askers;
use crate::config::Config;
use crate::identity::Run;
use crate::journal::{ClosedLoop, Journal, RunRecord, State};
use crate::send::send;
use crate::source::Source;
use crate::traffic::{Origin, Traffic};
use crate::turns::Turns;

/// Asks the questions that `config` describes, and leaves a record with all `settings`.
///
/// # Errors
/// What [`send`] and [`Journal`] say; the record tells it too.
pub async fn run(
    config: &Config,
    settings: BTreeMap<String, String>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let run = Run::new(&config.traffic);
    let record = run.record(settings, &config.traffic);
    let mut journal = Journal::create(&config.traffic.data_collected_dir, record)?;
    let ended = ask(config, &run, &mut journal, shutdown).await;
    let record = &mut journal.record;
    record.ended_at = Some(now());
    record.state = *ended.as_ref().unwrap_or(&State::Failed);
    record.problem = ended.as_ref().err().map(|problem| format!("{problem:#}"));
    record.note = record
        .note
        .take()
        .or_else(|| unanswered(record.closed_loop, &config.traffic));
    let RunRecord {
        state,
        asked,
        unacknowledged,
        late,
        latest_ms,
        ..
    } = *record;
    if late > 0 {
        warn!(
            late,
            latest_ms, "THE SCHEDULE WAS NOT KEPT: questions were asked after their time"
        );
    }
    info!(run = run.name, ?state, asked, unacknowledged, "the run has ended");
    let saved = journal.save();
    ended.and(saved)
}

/// That outcomes did not come, in a sentence.
fn unanswered(closed_loop: Option<ClosedLoop>, traffic: &Traffic) -> Option<String> {
    let given_up = closed_loop
        .map(|record| record.given_up)
        .filter(|&given_up| given_up > 0)?;
    let patience = humantime::format_duration(traffic.traffic_outcome_timeout);
    Some(format!(
        "{given_up} questions had no outcome within TRAFFIC_OUTCOME_TIMEOUT={patience}, and their askers went on"
    ))
}

async fn ask(config: &Config, run: &Run, journal: &mut Journal, shutdown: &CancellationToken) -> anyhow::Result<State> {
    let producer = Producer::new(&config.common.kafka)?;
    let opened = tokio::select! {
        opened = open(config, &producer, shutdown) => opened,
        () = shutdown.cancelled() => return Ok(State::Interrupted),
    };
    if shutdown.is_cancelled() {
        return Ok(State::Interrupted);
    }
    let (source, turns) = opened?;
    info!(
        run = run.name,
        seed = run.seed,
        questions = source.record.questions,
        "asking"
    );
    if let Some(note) = &journal.record.note {
        warn!("{note}");
    }
    let arrivals = Arrivals::new(&config.traffic, run.seed, &source.ids)?;
    journal.record.dataset = Some(source.record.clone());
    journal.save()?;
    send(run, arrivals, source, turns, producer, journal, shutdown).await
}

async fn open(config: &Config, producer: &Producer, shutdown: &CancellationToken) -> anyhow::Result<(Source, Turns)> {
    let source = match &config.traffic.traffic_source {
        Origin::MongoDb => Source::mongo(config.common.mongo.connect(crate::SERVICE).await?).await?,
        Origin::File(file) => Source::file(file, shutdown)?,
    };
    producer.wait_for_topics(&[QuestionMessage::TOPIC]).await;
    let turns = match config.traffic.askers() {
        Some(count) => Turns::Closed(Askers::gather(count, &config.traffic, &config.common.kafka).await?),
        None => Turns::Open,
    };
    Ok((source, turns))
}

#[cfg(test)]
mod tests;
