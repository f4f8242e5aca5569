//! The list of all outcomes, in a SQLite file of the explorer's own: filtered, sorted and searched without asking
//! MongoDB. It holds nothing that cannot be read again: whoever deletes it has it made anew.

pub mod facet;
pub mod packed;
pub mod query;
pub mod row;
pub mod search;
pub mod sleep;
pub mod writer;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use rusqlite::{Connection, InterruptHandle, OpenFlags};
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use self::row::Row;
pub use self::sleep::Sleep;
pub use self::writer::Writer;

/// The index, in the folder for it.
const FILE: &str = "index.sqlite";
const SCHEMA: &str = include_str!("index/schema.sql");
/// Counts up with every change of the schema: a file of another version is made anew.
const VERSION: i64 = 4;
/// Most queries at once.
const READERS: usize = 4;
/// The longest that a query may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a query has no result.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It took longer than anybody should wait.
    #[error("the query took longer than {} s and was stopped", PATIENCE.as_secs())]
    TooLong,
    /// It would take more memory than anybody should have to spare.
    #[error("more than {0} outcomes are not read at once")]
    TooMuch(i64),
    /// SQLite refused it.
    #[error(transparent)]
    Refused(#[from] rusqlite::Error),
}

/// The index, to be read by many at once.
#[derive(Clone)]
pub struct Index(Arc<Readers>);

struct Readers {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    sleep: Sleep,
}

impl Index {
    /// Opens the index in a folder, and makes both where they are not there.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn open(folder: &Path) -> anyhow::Result<(Self, Writer)> {
        let unusable = || {
            format!(
                "EXPLORER_DIR={} cannot be used; allowed is a folder to write in",
                folder.display()
            )
        };
        fs::create_dir_all(folder).with_context(unusable)?;
        let file = folder.join(FILE);
        let connection = match open_current(&file).with_context(unusable)? {
            Some(connection) => connection,
            None => {
                delete(&file).with_context(unusable)?;
                make(&file).with_context(unusable)?
            }
        };
        let readers = Readers {
            file,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(READERS)),
            sleep: Sleep::default(),
        };
        Ok((Self(Arc::new(readers)), Writer::new(connection)))
    }

    /// The writer of the index that is in a folder, while another process may have it open; `None` where there is none.
    ///
    /// # Errors
    /// A file that cannot be opened.
    pub fn writer(folder: &Path) -> anyhow::Result<Option<Writer>> {
        let file = folder.join(FILE);
        let found = open_current(&file).with_context(|| format!("the index {} cannot be opened", file.display()))?;
        Ok(found.map(Writer::new))
    }

    /// Whether anybody looks, as otherwise it is not filled.
    pub fn sleep(&self) -> &Sleep {
        &self.0.sleep
    }

    /// Runs a query on a thread of its own.
    ///
    /// # Errors
    /// It takes too long, or cannot be run.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        self.sleep().wake().await;
        self.read_asleep(query).await
    }

    /// The same for who looks for nobody: the index may go on sleeping.
    ///
    /// # Errors
    /// See [`Self::read`].
    pub async fn read_asleep<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        let permits = Arc::clone(&self.0.permits);
        let Ok(Ok(permit)) = timeout(PATIENCE, permits.acquire_owned()).await else {
            return Err(ReadError::TooLong);
        };
        let connection = self.0.take()?;
        let running = Arc::new(Mutex::new(Some(connection.get_interrupt_handle())));
        // Also when nobody waits for the answer any more.
        let _stop = Stop(Arc::clone(&running));
        let readers = Arc::clone(&self.0);
        let work = tokio::task::spawn_blocking(move || {
            let found = query(&connection);
            // From here on an interruption would be another query's.
            running.lock().unwrap_or_else(PoisonError::into_inner).take();
            readers.give_back(connection);
            drop(permit);
            found
        });
        match timeout(PATIENCE, work).await {
            Ok(Ok(found)) => Ok(found?),
            Ok(Err(_)) => Err(ReadError::Refused(rusqlite::Error::InvalidQuery)),
            Err(_) => Err(ReadError::TooLong),
        }
    }
}

/// Ends a query that is still running when it is dropped.
struct Stop(Arc<Mutex<Option<InterruptHandle>>>);

impl Drop for Stop {
    fn drop(&mut self) {
        if let Some(running) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            running.interrupt();
        }
    }
}

impl Readers {
    fn take(&self) -> rusqlite::Result<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| read_only(&self.file), Ok)
    }

    fn give_back(&self, connection: Connection) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
    }
}

fn read_only(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.pragma_update(None, "mmap_size", 1_i64 << 30)?;
    Ok(connection)
}

/// The index that is there, if it is of today's version and whole.
fn open_current(file: &Path) -> anyhow::Result<Option<Connection>> {
    if !file.exists() {
        return Ok(None);
    }
    let connection = Connection::open(file)?;
    let version = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    match version {
        Ok(VERSION) => Ok(Some(prepared(connection)?)),
        // Another version's.
        Ok(_) => Ok(None),
        Err(error) if is_no_database(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_no_database(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

fn make(file: &Path) -> anyhow::Result<Connection> {
    let connection = prepared(Connection::open(file)?)?;
    connection.execute_batch(SCHEMA)?;
    connection.pragma_update(None, "user_version", VERSION)?;
    Ok(connection)
}

/// Readers go on while somebody writes; what a crash of the machine takes is read again. What is deleted is overwritten:
/// it may have been forgotten.
fn prepared(connection: Connection) -> rusqlite::Result<Connection> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    // A page that several batches change is copied from the log once.
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    connection.pragma_update(None, "cache_size", -32_000)?;
    connection.pragma_update(None, "mmap_size", 1_i64 << 30)?;
    connection.busy_timeout(Duration::from_secs(60))?;
    Ok(connection)
}

fn delete(file: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(name) {
            Err(problem) if problem.kind() != std::io::ErrorKind::NotFound => return Err(problem),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod measure;
#[cfg(test)]
pub mod tests;
