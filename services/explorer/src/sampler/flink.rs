//! How the job fares, by Flink's REST interface.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The longest that Flink may take for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// What the job's name begins with; its version follows (`flink_job/flink_rest.py`).
const JOB_NAME: &str = "streaming_score_job";

/// What Flink says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flink {
    pub taskmanagers: u64,
    /// The job that was started last, if Flink knows any.
    pub job: Option<Job>,
}

/// A job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// In Flink's words: `RUNNING`, say.
    pub state: String,
    pub started: Timestamp,
    /// Whether it runs, and every task of it.
    pub works: bool,
    /// When its state was last saved.
    pub saved: Option<Timestamp>,
    /// How often that is meant to be.
    pub save_every: Duration,
    /// How many of the newest attempts at that failed one after the other, and why the last did.
    pub failures: usize,
    pub failure: Option<String>,
}

/// Asks Flink.
pub struct FlinkClient {
    http: Client,
    url: Url,
}

#[derive(Deserialize)]
struct Overview {
    taskmanagers: u64,
}

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<ShownJob>,
}

#[derive(Deserialize)]
struct ShownJob {
    jid: String,
    name: String,
    state: String,
    #[serde(rename = "start-time")]
    started: i64,
    tasks: Tasks,
}

#[derive(Deserialize)]
struct Tasks {
    total: u64,
    running: u64,
}

#[derive(Deserialize)]
struct Checkpoints {
    latest: Latest,
    history: Vec<Checkpoint>,
}

#[derive(Deserialize)]
struct Latest {
    completed: Option<Completed>,
    failed: Option<Failed>,
}

#[derive(Deserialize)]
struct Completed {
    latest_ack_timestamp: i64,
}

#[derive(Deserialize)]
struct Failed {
    failure_message: Option<String>,
}

#[derive(Deserialize)]
struct Checkpoint {
    status: String,
}

#[derive(Deserialize)]
struct CheckpointConfig {
    interval: u64,
}

impl FlinkClient {
    /// Of the Flink at this address.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(url: Url) -> anyhow::Result<Self> {
        let http = Client::builder().timeout(PATIENCE).no_proxy().build()?;
        Ok(Self { http, url })
    }

    /// Asks how the job fares.
    ///
    /// # Errors
    /// Flink does not answer, or not as it should.
    pub async fn look(&self) -> anyhow::Result<Flink> {
        let Overview { taskmanagers } = self.get("overview").await?;
        let Jobs { jobs } = self.get("jobs/overview").await?;
        let ours = jobs.into_iter().filter(|job| job.name.starts_with(JOB_NAME));
        let job = match ours.max_by_key(|job| job.started) {
            Some(job) => Some(self.details_of(job).await?),
            None => None,
        };
        Ok(Flink { taskmanagers, job })
    }

    async fn details_of(&self, job: ShownJob) -> anyhow::Result<Job> {
        let saved: Checkpoints = self.get(&format!("jobs/{}/checkpoints", job.jid)).await?;
        let config: CheckpointConfig = self.get(&format!("jobs/{}/checkpoints/config", job.jid)).await?;
        Ok(Job::of(job, saved, &config))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let response = self.http.get(self.url.join(path)?).send().await?;
        Ok(response.error_for_status()?.json().await?)
    }
}

impl Job {
    fn of(job: ShownJob, saved: Checkpoints, config: &CheckpointConfig) -> Self {
        // What is under way tells nothing.
        let ended = saved
            .history
            .iter()
            .filter(|checkpoint| checkpoint.status != "IN_PROGRESS");
        let failure = saved.latest.failed.and_then(|failed| failed.failure_message);
        let completed = saved.latest.completed.map(|completed| completed.latest_ack_timestamp);
        Self {
            works: job.state == "RUNNING" && job.tasks.total > 0 && job.tasks.running == job.tasks.total,
            state: job.state,
            started: Timestamp::from_millisecond(job.started).unwrap_or_default(),
            saved: completed.and_then(|at| Timestamp::from_millisecond(at).ok()),
            save_every: Duration::from_millis(config.interval),
            failures: ended.take_while(|checkpoint| checkpoint.status == "FAILED").count(),
            failure: failure.map(|failure| super::one_line(&failure)),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::*;

    /// Answers as Flink 1.20 does, shortened.
    async fn flink(jobs: &'static str, checkpoints: &'static str) -> FlinkClient {
        let router = Router::new()
            .route("/overview", get(async || r#"{"taskmanagers": 2, "slots-total": 2}"#))
            .route("/jobs/overview", get(async move || jobs))
            .route("/jobs/b/checkpoints", get(async move || checkpoints))
            .route(
                "/jobs/b/checkpoints/config",
                get(async || r#"{"mode": "exactly_once", "interval": 10000}"#),
            );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(axum::serve(listener, router).into_future());
        FlinkClient::new(url).unwrap()
    }

    const JOBS: &str = r#"{"jobs": [
        {"jid": "a", "name": "streaming_score_job 1", "state": "CANCELED", "start-time": 1000, "tasks": {"total": 4, "running": 0}},
        {"jid": "b", "name": "streaming_score_job 2", "state": "RUNNING", "start-time": 2000, "tasks": {"total": 4, "running": 4}},
        {"jid": "c", "name": "another", "state": "RUNNING", "start-time": 3000, "tasks": {"total": 1, "running": 1}}]}"#;

    #[tokio::test]
    async fn the_job_is_the_one_that_was_started_last_with_its_checkpoints() {
        let checkpoints = r#"{
            "latest": {"completed": {"latest_ack_timestamp": 9000}, "failed": {"failure_message": "disk is full\n\tat a.b"}},
            "history": [{"status": "IN_PROGRESS"}, {"status": "FAILED"}, {"status": "FAILED"}, {"status": "COMPLETED"}, {"status": "FAILED"}]}"#;
        let found = flink(JOBS, checkpoints).await.look().await.unwrap();
        let job = found.job.unwrap();
        assert_eq!((found.taskmanagers, job.works, job.started.as_second()), (2, true, 2));
        assert_eq!(
            (job.saved.unwrap().as_second(), job.failures, job.failure.as_deref()),
            (9, 2, Some("disk is full"))
        );
        assert_eq!(job.save_every, Duration::from_secs(10));
    }

    #[tokio::test]
    async fn a_job_whose_tasks_do_not_all_run_does_not_work_and_none_is_none() {
        let restarting = r#"{"jobs": [
            {"jid": "b", "name": "streaming_score_job 2", "state": "RUNNING", "start-time": 2000, "tasks": {"total": 4, "running": 3}}]}"#;
        let nothing = r#"{"latest": {"completed": null, "failed": null}, "history": []}"#;
        let job = flink(restarting, nothing).await.look().await.unwrap().job.unwrap();
        assert!(!job.works && job.saved.is_none() && job.failures == 0);
        assert_eq!(flink(r#"{"jobs": []}"#, nothing).await.look().await.unwrap().job, None);
    }

    #[tokio::test]
    async fn what_flink_refuses_is_an_error() {
        let router = Router::new().fallback(async || StatusCode::SERVICE_UNAVAILABLE);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(axum::serve(listener, router).into_future());
        let error = FlinkClient::new(url).unwrap().look().await.unwrap_err();
        assert!(error.to_string().contains("503"), "{error}");
    }
}
