//! traffic-generator: imports a dataset, and asks its questions at the times of an arrival
//! process.
//!
//! [`import`]: file → [`dataset`] → MongoDB. [`send`]: [`arrivals`] say when and which,
//! [`source`] gives the question, `questions_in` takes it, [`journal`] keeps the record.

mod arrivals;
mod config;
mod dataset;
mod import;
mod journal;
mod records;
mod send;
mod source;

use std::path::Path;
use std::process::ExitCode;

use messaging::client::Producer;
use messaging::message::QuestionMessage;
use messaging::process;
use messaging::topic::Message as _;
use tokio_util::sync::CancellationToken;

use crate::config::{Command, Config, Traffic};
use crate::source::Source;

const SERVICE: &str = "traffic-generator";

#[tokio::main]
async fn main() -> ExitCode {
    process::run(SERVICE, run).await
}

async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    if let Some(Command::Import { file }) = &config.command {
        let mongo = tokio::select! {
            mongo = config.mongo.connect(SERVICE) => mongo?,
            () = shutdown.cancelled() => return Ok(()),
        };
        import::import(file, &mongo, &shutdown).await?;
        return Ok(());
    }
    let producer = Producer::new(&config.kafka)?;
    let source = tokio::select! {
        source = open(&config.traffic, &config, &producer) => source?,
        () = shutdown.cancelled() => return Ok(()),
    };
    send::send(&config.traffic, source, producer, shutdown).await
}

async fn open(traffic: &Traffic, config: &Config, producer: &Producer) -> anyhow::Result<Source> {
    let source = if traffic.traffic_source == "mongodb" {
        Source::mongo(config.mongo.connect(SERVICE).await?).await
    } else {
        Source::file(Path::new(&traffic.traffic_source))?
    };
    producer.wait_for_topics(&[QuestionMessage::TOPIC]).await;
    Ok(source)
}
