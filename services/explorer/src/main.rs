//! explorer: shows what was asked, answered and decided, and takes what people say of it.
//!
//! MongoDB and the topics → [`filler`] → [`index`], a SQLite file that lists and searches; [`pages`] show it, and read
//! whole texts from MongoDB ([`store`]), in half the time at most where they are many. [`sampler`] looks at how every
//! part fares. Whoever looks slows down nobody who stores.

mod chart;
mod comparison;
mod config;
mod draw;
mod filler;
mod index;
mod judging;
mod language;
mod pages;
mod sampler;
mod store;
#[cfg(test)]
mod test_support;
mod text;
mod trail;
mod web;

use std::process::ExitCode;
use std::sync::Arc;

use messaging::http::{self, Readiness};
use messaging::process;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::config::{Command, Config};
use crate::draw::Draws;
use crate::filler::Filler;
use crate::index::Index;
use crate::sampler::Sampler;
use crate::store::Store;
use crate::trail::Trails;
use crate::web::App;

const SERVICE: &str = "explorer";

fn main() -> ExitCode {
    process::run(SERVICE, run)
}

async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    if let Some(Command::Forget { ids }) = &config.command {
        let writer = Index::writer(&config.explorer_dir)?;
        let forgotten = writer.map_or(Ok(0), |mut writer| writer.forget(ids))?;
        info!(outcomes = forgotten, "the index has forgotten their texts");
        return Ok(());
    }
    let mongo = config.common.mongo.client(SERVICE).await?;
    let (index, writer) = Index::open(&config.explorer_dir)?;
    let store = Store::new(mongo.clone());
    let filler = Filler::new(writer, index.clone(), store.clone());
    let sampler = Sampler::new(shutdown.clone());
    let app = App {
        index: index.clone(),
        store: store.clone(),
        progress: filler.progress(),
        sampler: sampler.clone(),
        trails: Trails::new(&config.common.kafka),
        draws: Draws::default(),
        hosts: Arc::new(config.hosts()),
    };
    let readiness = Readiness::of(&[filler::NAME]);
    http::serve(
        config.http_address,
        web::routes(app),
        readiness.clone(),
        shutdown.clone(),
    )
    .await?;
    let fill = async {
        if shutdown.run_until_cancelled(mongo.until_readable()).await.is_none() {
            return Ok(());
        }
        filler.run(&config.common.kafka, &readiness, shutdown.clone()).await
    };
    // What is away is shown from the first moment on.
    tokio::try_join!(fill, sampler.run(&config, index, store))?;
    Ok(())
}
