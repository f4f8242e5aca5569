//! traffic-generator: imports a dataset, and asks its questions at the times of an arrival
//! process.
//!
//! [`import`]: [`records`] → [`dataset`] → MongoDB.
//! [`send`]: [`arrivals`] say when and which, [`source`] gives the question, [`run`] its
//! identity, `questions_in` takes it, [`journal`] keeps the record. In a closed loop, [`turns`]
//! come when [`askers`] have their outcomes.
//! [`choose`]: the same arrivals, printed instead of asked.

mod arrivals;
mod askers;
mod choice;
mod choose;
mod config;
mod dataset;
mod extent;
mod identity;
mod import;
mod journal;
mod paraphrase;
mod profile;
mod records;
mod run;
mod send;
mod source;
mod tally;
mod trace;
mod traffic;
mod turns;

use std::io::{BufWriter, stdout};
use std::process::ExitCode;

use messaging::process;
use tokio_util::sync::CancellationToken;

use crate::config::{Command, Config};

const SERVICE: &str = "traffic-generator";

fn main() -> ExitCode {
    process::run(SERVICE, run)
}

async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    match &config.command {
        Some(Command::Import { file }) => import::import(file, &config.common.mongo, &shutdown).await,
        Some(Command::Choose { questions }) => {
            choose::choose(&config.traffic, *questions, BufWriter::new(stdout().lock()))
        }
        Some(Command::Send) | None => run::run(&config, Config::as_environment(), &shutdown).await,
    }
}
