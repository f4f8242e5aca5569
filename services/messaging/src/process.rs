//! What every service does around its work: settings, logs, signals, exit code.

use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

/// How long a service may take to tell whether it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// How a service logs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logs")]
pub struct ProcessConfig {
    /// Lines for people or for programs.
    #[arg(long, env, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// What to log: error, warn, info, debug, trace, or a filter such as info,messaging=debug.
    #[arg(long, env, default_value = "info")]
    pub log_level: String,
}

/// The form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A service's settings: the one place where it reads the environment.
pub trait Settings: Parser + Send + 'static {
    /// How to log.
    fn process(&self) -> &ProcessConfig;

    /// Checks what a single setting cannot: settings that constrain each other.
    ///
    /// # Errors
    /// The setting, its value and what is allowed.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Reads and checks the settings, then runs `service` until it ends or a signal stops it.
///
/// Exit code 0 for a clean end, 2 for settings that cannot be used, 1 for everything else.
/// With `--print-settings` it only checks them, and prints what there are, as JSON; with
/// `--ready` it only asks the service that runs with them whether it is ready.
pub fn run<S: Settings, F: Future<Output = anyhow::Result<()>>>(
    name: &'static str,
    service: impl FnOnce(S, CancellationToken) -> F,
) -> ExitCode {
    let first = std::env::args().nth(1);
    let command = without_empty(S::command());
    if first.as_deref() == Some("--ready") {
        return ask_whether_ready(&command);
    }
    let print_only = first.as_deref() == Some("--print-settings");
    let matches = if print_only {
        command.get_matches_from([name])
    } else {
        command.get_matches()
    };
    let settings = S::from_arg_matches(&matches).unwrap_or_else(|problem| problem.exit());
    if let Err(problem) = settings.check().and_then(|()| start_logging(settings.process())) {
        eprintln!("error: {problem}");
        return ExitCode::from(2);
    }
    if print_only {
        println!("{}", settings_json(&S::command()));
        return ExitCode::SUCCESS;
    }
    info!(service = name, version = env!("CARGO_PKG_VERSION"), "starting");
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(problem) => {
            error!(%problem, "cannot start threads");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async {
        let shutdown = CancellationToken::new();
        if let Err(problem) = stop_on_signals(shutdown.clone()) {
            error!(%problem, "cannot listen for signals");
            return ExitCode::FAILURE;
        }
        match service(settings, shutdown).await {
            Ok(()) => {
                info!(service = name, "stopped");
                ExitCode::SUCCESS
            }
            Err(problem) => {
                error!(service = name, problem = format!("{problem:#}"), "cannot go on");
                // Whoever starts it again does so at once.
                tokio::time::sleep(BACK_OFF).await;
                ExitCode::FAILURE
            }
        }
    });
    // Calls to a server that is away may block their threads for long: nobody waits for those.
    runtime.shutdown_background();
    code
}

/// How long a service that has failed puts off its next start.
const BACK_OFF: Duration = Duration::from_secs(1);

/// A variable that is set to nothing, as a line `NAME=` of an environment file does it, is not set.
pub fn without_empty(command: clap::Command) -> clap::Command {
    let is_empty = |argument: &clap::Arg| {
        let value = argument.get_env().and_then(std::env::var_os);
        value.is_some_and(|value| value.is_empty())
    };
    command
        .mut_args(|argument| {
            if is_empty(&argument) {
                argument.env(None::<&str>)
            } else {
                argument
            }
        })
        .mut_subcommands(without_empty)
}

/// What to log, by target.
fn log_filter(text: &str) -> Result<Targets, String> {
    // A mere word would be a target, and nothing else be logged.
    let is_told = |part: &str| part.contains('=') || part.parse::<LevelFilter>().is_ok();
    match text.parse() {
        Ok(filter) if text.split(',').all(is_told) => Ok(filter),
        _ => Err(format!(
            "LOG_LEVEL={text} is not a log filter; allowed are error, warn, info, debug, trace, or such levels by target, \
             as in info,messaging=debug"
        )),
    }
}

fn start_logging(config: &ProcessConfig) -> Result<(), String> {
    let filter = log_filter(&config.log_level)?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match config.log_format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    Ok(())
}

fn stop_on_signals(shutdown: CancellationToken) -> std::io::Result<()> {
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => info!("SIGTERM: stopping"),
            _ = interrupt.recv() => info!("SIGINT: stopping"),
        }
        shutdown.cancel();
    });
    Ok(())
}

/// Asks the service that runs with these settings for its `/readyz`: a health check that needs no shell.
fn ask_whether_ready(command: &clap::Command) -> ExitCode {
    let settings = command.clone().get_matches_from([command.get_name()]);
    match settings.try_get_one::<SocketAddr>("http_address") {
        Ok(Some(address)) if is_ready(*address).is_ok_and(|ready| ready) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn is_ready(address: SocketAddr) -> std::io::Result<bool> {
    let mut connection = TcpStream::connect_timeout(&address, READY_TIMEOUT)?;
    connection.set_read_timeout(Some(READY_TIMEOUT))?;
    connection.write_all(b"GET /readyz HTTP/1.0\r\n\r\n")?;
    let mut status = String::new();
    BufReader::new(connection).read_line(&mut status)?;
    Ok(status.contains(" 200 "))
}

/// Every setting of a command, as JSON: environment name, default, help.
fn settings_json(command: &clap::Command) -> serde_json::Value {
    let mut settings: Vec<_> = command
        .get_arguments()
        .chain(command.get_subcommands().flat_map(clap::Command::get_arguments))
        .filter_map(|argument| {
            let defaults: Vec<_> = argument
                .get_default_values()
                .iter()
                .map(|v| v.to_string_lossy())
                .collect();
            let help = argument.get_help().map(ToString::to_string);
            Some(json!({ "name": argument.get_env()?.to_string_lossy(), "default": defaults.first(), "help": help }))
        })
        .collect();
    settings.sort_by_key(|setting| setting["name"].to_string());
    settings.dedup();
    settings.into()
}

#[cfg(test)]
mod tests {
    use axum::Router;

    use super::*;
    use crate::http::{Readiness, serve};
    use crate::wait::until_ok;

    #[test]
    fn what_is_logged_is_a_level_or_levels_by_target() {
        let filter = log_filter("warn,messaging=debug").unwrap();
        assert!(filter.would_enable("messaging::worker", &tracing::Level::DEBUG));
        assert!(!filter.would_enable("explorer", &tracing::Level::INFO));
        for not_a_filter in ["loud", "info,loud", "messaging=loud"] {
            let refusal = log_filter(not_a_filter).unwrap_err();
            assert!(
                refusal.contains(not_a_filter) && refusal.contains("error, warn"),
                "{refusal}"
            );
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_health_check_passes_when_the_service_is_ready_and_only_then() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        let (address, readiness) = (free.expect("a free port"), Readiness::of(&["reader"]));
        assert!(is_ready(address).is_err(), "nothing listens yet");
        serve(address, Router::new(), readiness.clone(), CancellationToken::new())
            .await
            .expect("a server");
        assert!(!is_ready(address).expect("an answer"));
        readiness.begun("reader");
        assert!(is_ready(address).expect("an answer"));
        let waiting = tokio::spawn(until_ok("a store", "home", async || Err::<(), _>("away")));
        while is_ready(address).expect("an answer") {
            tokio::task::yield_now().await;
        }
        waiting.abort();
        assert!(waiting.await.is_err_and(|error| error.is_cancelled()));
        assert!(is_ready(address).expect("an answer"), "nobody waits any more");
    }
}
