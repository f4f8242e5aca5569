//! MongoDB settings, and a connection that waits for its server.

use std::collections::HashSet;
use std::time::Duration;

use clap::Args;
use mongodb::error::{Error, ErrorKind, WriteFailure};
use mongodb::options::{Acknowledgment, ClientOptions, ReadPreference, SelectionCriteria, WriteConcern};
use mongodb::{Client, Database, bson::doc};
use serde::{Deserialize, Serialize};

use crate::collection::Collection;
use crate::secret::Secret;
use crate::wait::until_mended;

/// How to reach MongoDB.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "MongoDB")]
pub struct MongoConfig {
    /// Connection string; it may hold a password and is never logged.
    #[arg(
        long,
        env,
        hide_env_values = true,
        default_value = "mongodb://127.0.0.1:27017/?directConnection=true"
    )]
    pub mongodb_uri: Secret,
    /// Database.
    #[arg(long, env, default_value = "cotejo")]
    pub mongodb_database: String,
}

/// A database whose writes are acknowledged only when they are durable, and its address for
/// log lines.
#[derive(Debug, Clone)]
pub struct Mongo {
    /// The database.
    pub database: Database,
    /// Where it is, without credentials.
    pub place: String,
}

impl MongoConfig {
    /// Checks the settings without connecting.
    ///
    /// # Errors
    /// What is wrong and what is allowed; never the connection string itself.
    pub fn check(&self) -> Result<(), String> {
        mongodb::options::ConnectionString::parse(self.mongodb_uri.expose()).map(|_| ()).map_err(|_| {
            "MONGODB_URI is not a MongoDB connection string, which looks like mongodb://host:27017 (the value is not \
             shown, it may hold a password)"
                .to_owned()
        })
    }

    /// Connects, waiting as long as it takes for a server whose data can be read.
    ///
    /// # Errors
    /// A connection string that cannot be used.
    pub async fn connect(&self, service: &str) -> anyhow::Result<Mongo> {
        let mongo = self.client(service).await?;
        mongo.until_readable().await;
        Ok(mongo)
    }

    /// A client that connects when it is used.
    ///
    /// # Errors
    /// A connection string that cannot be used.
    pub async fn client(&self, service: &str) -> anyhow::Result<Mongo> {
        let mut options = ClientOptions::parse(self.mongodb_uri.expose()).await?;
        options.app_name = Some(service.to_owned());
        options.server_selection_timeout = Some(Duration::from_secs(5));
        options.connect_timeout = Some(Duration::from_secs(5));
        options.write_concern = Some(
            WriteConcern::builder()
                .w(Acknowledgment::Majority)
                .journal(true)
                .build(),
        );
        // Whatever the connection string says: what was written must be seen.
        options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
        let place = options
            .hosts
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(",");
        let database = Client::with_options(options)?.database(&self.mongodb_database);
        Ok(Mongo { database, place })
    }
}

impl Mongo {
    /// The longest that one operation may take before it counts as failed and is tried again.
    const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);

    /// Repeats an operation until the server has done it; it must be safe to repeat.
    pub async fn until_ok<T, F: IntoFuture<Output = mongodb::error::Result<T>>>(
        &self,
        mut operation: impl FnMut() -> F,
    ) -> T {
        let attempt = || {
            let operation = operation().into_future();
            async { anyhow::Ok(tokio::time::timeout(Self::OPERATION_TIMEOUT, operation).await??) }
        };
        until_mended("MongoDB", &self.place, attempt, |error| {
            error.downcast_ref().is_some_and(is_refusal)
        })
        .await
    }

    /// The same, however long one attempt takes: there may be much to look through.
    pub async fn patiently<T, F: IntoFuture<Output = mongodb::error::Result<T>>>(
        &self,
        mut operation: impl FnMut() -> F,
    ) -> T {
        until_mended("MongoDB", &self.place, || operation().into_future(), is_refusal).await
    }
}

/// The form of what this version stores; one that reads another needs a number of its own.
const FORMAT: i64 = 1;

/// The collection, and in it the document, that says in which form everything is.
const FORMAT_IS_IN: &str = "format";

#[derive(Debug, Serialize, Deserialize)]
struct Format {
    #[serde(rename = "_id")]
    id: String,
    version: i64,
}

#[derive(Debug, thiserror::Error)]
#[error("its data are of a newer version of Cotejo (format {0}, and this one reads up to {FORMAT})")]
struct TooNew(i64);

impl Mongo {
    /// Waits until the server answers, and as long as a newer version than this has written to it.
    pub async fn until_readable(&self) {
        let look = || async { tokio::time::timeout(Self::OPERATION_TIMEOUT, self.check_format()).await? };
        until_mended("MongoDB", &self.place, look, |error| {
            error.is::<TooNew>() || error.downcast_ref().is_some_and(is_refusal)
        })
        .await;
    }

    async fn check_format(&self) -> anyhow::Result<()> {
        let formats: Collection<Format> = self.collection(FORMAT_IS_IN);
        let (known, ours) = (doc! { "_id": FORMAT_IS_IN }, doc! { "$max": { "version": FORMAT } });
        formats.update_one(known.clone(), ours).upsert(true).await?;
        match formats.find(known).first().await? {
            Some(Format { version, .. }) if version > FORMAT => Err(TooNew(version).into()),
            _ => Ok(()),
        }
    }

    /// The requests and questions whose texts a person had forgotten: files and topics still have them, and nothing may
    /// take them in again.
    pub async fn forgotten(&self) -> HashSet<String> {
        #[derive(Deserialize)]
        struct Forgotten {
            #[serde(rename = "_id")]
            id: String,
        }
        let forgotten: Collection<Forgotten> = self.collection("forgotten");
        let find = || forgotten.find(doc! {}).projection(doc! { "_id": 1 }).all();
        let found = self.until_ok(find).await;
        found.into_iter().map(|one| one.id).collect()
    }
}

/// MongoDB's error codes for what it will refuse the next time as well: no rights, a wrong password, an index that
/// conflicts with another, a document that a validator does not pass.
const REFUSALS: [i32; 6] = [13, 18, 67, 85, 86, 121];

/// Whether somebody has to mend something before the server does what it is asked.
fn is_refusal(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Authentication { .. } | ErrorKind::InvalidTlsConfig { .. } => true,
        // After the first time, the driver hides why it has no server.
        ErrorKind::ServerSelection { message, .. } => {
            let why = ["SCRAM failure", "certificate verify failed"];
            why.iter().any(|refusal| message.contains(refusal))
        }
        ErrorKind::Command(failure) => REFUSALS.contains(&failure.code),
        ErrorKind::Write(WriteFailure::WriteError(failure)) => REFUSALS.contains(&failure.code),
        ErrorKind::InsertMany(failure) => {
            let mut errors = failure.write_errors.iter().flatten();
            errors.any(|error| REFUSALS.contains(&error.code))
        }
        _ => false,
    }
}
