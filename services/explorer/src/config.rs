//! The settings of explorer; no other place reads the environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use messaging::process::{ProcessConfig, Settings};
use messaging::settings::CommonConfig;
use reqwest::Url;

/// Shows what was asked, answered and decided, and takes what people say of it.
#[derive(Debug, Parser)]
#[command(name = "explorer", version)]
pub struct Config {
    /// Folder of the index that lists and searches. It is made anew from MongoDB whenever it is not there.
    #[arg(long, env, default_value = ".run/data/explorer")]
    pub explorer_dir: PathBuf,
    /// By which names, beside localhost, the pages may be asked for, with commas between them. Others are refused: else
    /// a page of another site could have its name point here, and read along.
    #[arg(long, env, default_value = "")]
    pub explorer_hosts: String,
    /// Where to serve the pages, /metrics, /healthz and /readyz.
    #[arg(long, env, default_value = "127.0.0.1:8112")]
    pub http_address: SocketAddr,
    /// Flink's REST interface.
    #[arg(long, env, default_value = "http://127.0.0.1:8081", value_parser = address_of_flink)]
    pub flink_url: Url,
    /// Kafka, MongoDB and logs.
    #[command(flatten)]
    pub common: CommonConfig,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do instead of serving.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Take texts out of the index, then end; safe while an explorer runs. MongoDB must have forgotten them before.
    Forget {
        /// Ids of requests or of questions.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

impl Config {
    /// The names by which the pages may be asked for.
    pub fn hosts(&self) -> Vec<String> {
        let own = ["localhost", "127.0.0.1", "[::1]"];
        let named = self
            .explorer_hosts
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        own.into_iter().chain(named).map(str::to_ascii_lowercase).collect()
    }
}

fn address_of_flink(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if url.scheme() == "http" && url.has_host() => Ok(url),
        _ => Err("an address that begins with http:// is allowed".into()),
    }
}

impl Settings for Config {
    fn process(&self) -> &ProcessConfig {
        &self.common.process
    }

    fn check(&self) -> Result<(), String> {
        self.common.check()
    }
}
