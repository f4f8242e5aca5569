//! Answers every question on `llm_requests`: with a model's answer on `llm_responses`,
//! or, when that concerns the question alone, with the reason on `llm_errors`.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | every setting |
//! | [`handler`] | an `LlmRequest` to an `LlmResponse` or an `ErrorMessage` |
//! | [`prompt`] | what the model is sent; never anything of the reference answer |
//! | [`gate`] | when a call may begin: limits, and outages that all questions wait for |
//! | [`caller`] | THE retry layer |
//! | [`billing`] | what calls cost, and whether there is money for another |
//! | [`prices`] | what models cost |
//! | [`budget`] | what calls may cost, over all replicas |
//! | [`money`] | US dollars as whole numbers |
//! | [`answers`] | answers that were paid for, and are not paid for again |
//! | [`cassette`] | recording a model's answers into a file, and answering from it |
//! | [`model`] | what a language model is, and how it fails |
//! | [`offline`] | a simulated model that needs no network |
//! | [`openai`] | any server that speaks OpenAI's chat completions |

mod answers;
mod billing;
mod budget;
mod caller;
mod cassette;
mod config;
mod gate;
mod handler;
mod model;
mod money;
mod offline;
mod openai;
mod prices;
mod prompt;
#[cfg(test)]
mod test_support;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router};
use messaging::http::{self, Readiness};
use messaging::model_settings::{self, ModelSettings, NOTICED_WITHIN};
use messaging::mongo::Mongo;
use messaging::process;
use messaging::worker::Worker;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::answers::Answers;
use crate::billing::Billing;
use crate::budget::Budget;
use crate::caller::Caller;
use crate::cassette::{Player, Recorder};
use crate::config::{Config, Mode};
use crate::gate::Gate;
use crate::handler::LlmHandler;
use crate::model::LanguageModel;
use crate::offline::Offline;
use crate::openai::OpenAi;

const SERVICE: &str = "llm-consumer";
/// How long a stop waits for MongoDB to take note of what was spent.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    process::run(SERVICE, run)
}

async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let cassette = config.llm_cassette.clone().unwrap_or_default();
    let settings = config.settings_hash();
    match config.llm_mode {
        Mode::Offline => serve(Offline::new(&config.offline), settings, &config, shutdown).await,
        Mode::Openai => serve(real(&config).await?, settings, &config, shutdown).await,
        Mode::Record => {
            let model = Recorder::open(real(&config).await?, &settings, &cassette).map_err(anyhow::Error::msg)?;
            serve(model, settings, &config, shutdown).await
        }
        Mode::Replay => {
            let model = Player::open(&cassette).map_err(anyhow::Error::msg)?;
            let settings = model.settings().to_owned();
            serve(model, settings, &config, shutdown).await
        }
    }
}

async fn real(config: &Config) -> anyhow::Result<OpenAi> {
    let model = OpenAi::new(&config.openai)?;
    model.check().await;
    Ok(model)
}

async fn serve<M: LanguageModel>(
    model: M,
    settings: String,
    config: &Config,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let (readiness, gate) = (Readiness::of(&[SERVICE]), Arc::new(Gate::new(config.gate())));
    let shown = Arc::clone(&gate);
    let routes = Router::new().route("/api/model", get(async move || Json(shown.report())));
    http::serve(config.http_address, routes, readiness.clone(), shutdown.clone()).await?;
    info!(model = model.name(1), settings, limits = ?config.gate(), "model");
    let Some(mongo) = shutdown.run_until_cancelled(config.mongo.connect(SERVICE)).await else {
        return Ok(());
    };
    let mongo = mongo?;
    // Before the first question: what is answered from now on may be reused only under these settings.
    let announced = announce(&mongo, config, &model, &settings);
    if shutdown.run_until_cancelled(announced).await.is_none() {
        return Ok(());
    }
    keep_alive(&mongo, &settings, &shutdown);
    let costs = model.costs();
    if costs && config.kafka.drain_deadline < config.llm_timeout {
        let (drain_deadline, llm_timeout) = (config.kafka.drain_deadline, config.llm_timeout);
        info!(
            ?drain_deadline,
            ?llm_timeout,
            "a stop gives up calls that take longer than DRAIN_DEADLINE: they are paid for twice"
        );
    }
    let budget = config.budget().filter(|_| costs);
    let budget = budget.map(|limits| Arc::new(Budget::open(mongo.clone(), limits, &replica(config))));
    let billing = Billing::new(config.prices().map_err(anyhow::Error::msg)?, budget.clone());
    let answers = costs.then(|| Answers::open(mongo, config.llm_answers_retention, shutdown.clone()));
    let caller = Caller::new(model, config.limits(), gate, billing);
    let handler = LlmHandler::new(caller, config.prompt_dir.clone(), settings, answers);
    let outcome = Worker::new(SERVICE, SERVICE, &config.kafka)?
        .reporting_to(&readiness)
        .run_each(handler, config.window(), shutdown)
        .await;
    if let Some(budget) = budget {
        // What a MongoDB that is away is not told stays leased, and `make budget` shows it.
        let _ = timeout(CLOSE_TIMEOUT, budget.close()).await;
    }
    outcome
}

/// Tells cache-service by which settings questions are answered from now on, and lets it notice.
async fn announce<M: LanguageModel>(mongo: &Mongo, config: &Config, model: &M, settings: &str) {
    let ours = ModelSettings {
        hash: settings.to_owned(),
        mode: config.llm_mode.to_string(),
        models: model.names(),
        prompt_version: config.prompt_dir.version(),
        since: 0,
        seen: 0,
    };
    let before = model_settings::publish(mongo, &ours).await;
    for other in before.others {
        warn!(
            settings = other.hash,
            models = ?other.models,
            "another copy of this service answers by other settings: what either answers is not reused by the other"
        );
    }
    if let Some(earlier) = before.replaced {
        info!(earlier = earlier.hash, models = ?earlier.models, "other settings than before: answers by those are not reused");
        sleep(NOTICED_WITHIN).await;
    }
}

fn keep_alive(mongo: &Mongo, settings: &str, shutdown: &CancellationToken) {
    let (mongo, settings, shutdown) = (mongo.clone(), settings.to_owned(), shutdown.clone());
    tokio::spawn(async move { model_settings::keep_alive(&mongo, &settings, shutdown).await });
}

/// What people call this process.
fn replica(config: &Config) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", host.trim(), config.http_address.port())
}
