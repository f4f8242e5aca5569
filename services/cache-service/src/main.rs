//! cache-service: answers a question from what is known, else asks the model for it, once.
//!
//! `questions_in` → [`questions`]: memory ([`answers`]), a twin in flight ([`in_flight`]),
//! MongoDB ([`stored`]), else the model. `regeneration_requests` → [`regenerations`].
//! The outcomes are read along by [`verdicts`]; what an older scorer judged is judged again
//! ([`judging`]) by today's ([`scorers`]), and what the model would not say by today's settings
//! ([`models`]) is not reused. [`simulate`] asks memory alone.

mod answer;
mod answers;
mod config;
mod fresh;
mod in_flight;
mod judging;
mod memory;
mod models;
mod questions;
mod regenerations;
mod scorers;
mod simulate;
mod stored;
#[cfg(test)]
mod test_support;
mod verdicts;

use std::io::{BufWriter, stdin, stdout};
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use futures::FutureExt as _;
use messaging::follower::follow;
use messaging::http::{self, Readiness};
use messaging::input::{Input as _, Outcome};
use messaging::process;
use messaging::worker::Worker;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::answer::ReuseRule;
use crate::answers::Answers;
use crate::config::{Command, Config};
use crate::in_flight::InFlight;
use crate::models::Models;
use crate::questions::Questions;
use crate::regenerations::Regenerations;
use crate::scorers::Scorers;
use crate::stored::Stored;

const SERVICE: &str = "cache-service";
const REGENERATIONS: &str = "cache-service-regenerations";
const VERDICTS: &str = "the reading of verdicts";
const LETTERS: &str = "the reading of dead letters";
/// Many questions may wait for their twins while others go on.
const WINDOW: usize = 8192;

fn main() -> ExitCode {
    process::run(SERVICE, run)
}

async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    if let Some(Command::Simulate(simulation)) = config.command {
        let simulated =
            spawn_blocking(move || simulate::simulate(&simulation, stdin().lock(), BufWriter::new(stdout().lock())));
        return tokio::select! {
            simulated = simulated => simulated?,
            () = shutdown.cancelled() => Ok(()),
        };
    }
    let readiness = Readiness::of(&[SERVICE, REGENERATIONS, VERDICTS, LETTERS]);
    http::serve(config.http_address, Router::new(), readiness.clone(), shutdown.clone()).await?;
    let mongo = tokio::select! {
        mongo = config.common.mongo.connect(SERVICE) => mongo?,
        () = shutdown.cancelled() => return Ok(()),
    };
    let rule = ReuseRule {
        threshold: config.score_threshold,
        ttl: config.cache_ttl,
    };
    let scorers = Arc::new(Scorers::default());
    let models = Arc::new(Models::new(config.cache_across_models));
    // Before the first question: no older score is compared, no other model's answer reused.
    let today = async { tokio::join!(scorers.refresh(&mongo), models.refresh(&mongo), mongo.forgotten()) };
    let Some((.., forgotten)) = shutdown.run_until_cancelled(today).await else {
        return Ok(());
    };
    let stored = Stored::new(mongo.clone(), rule.clone(), Arc::clone(&scorers), Arc::clone(&models));
    let cache_size = usize::try_from(config.cache_size)?;
    let answers = Arc::new(Answers::new(
        config.cache_policy,
        cache_size,
        rule,
        Arc::clone(&scorers),
        Arc::clone(&models),
    ));
    let in_flight = Arc::new(InFlight::new(config.coalesce_timeout));

    let questions = Questions {
        answers: Arc::clone(&answers),
        in_flight: Arc::clone(&in_flight),
        stored: stored.clone(),
        threshold: config.score_threshold,
    };
    let asked = Worker::new(SERVICE, SERVICE, &config.common.kafka)?.reporting_to(&readiness);
    // A group of its own: questions that wait for a verdict must not hold up what leads to it.
    let asked_again = Worker::new(SERVICE, REGENERATIONS, &config.common.kafka)?.reporting_to(&readiness);
    tokio::try_join!(
        asked.run_each(questions, WINDOW, shutdown.clone()),
        asked_again.run_each(Regenerations { stored }, WINDOW, shutdown.clone()),
        follow(
            VERDICTS,
            &config.common.kafka,
            &readiness,
            cache_size,
            |outcome: Outcome| {
                if !forgotten.contains(outcome.identity().message_id.as_str()) {
                    verdicts::observe(outcome, &answers, &in_flight);
                }
            },
            shutdown.clone()
        ),
        follow(
            LETTERS,
            &config.common.kafka,
            &readiness,
            // What was given up before the start has no flight.
            0,
            |letter| verdicts::observe_dead_letter(&letter, &in_flight),
            shutdown.clone()
        ),
        scorers.follow(&mongo, shutdown.clone()).map(Ok),
        models.follow(&mongo, shutdown).map(Ok),
    )?;
    Ok(())
}
