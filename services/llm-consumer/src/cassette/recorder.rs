//! Asks a model and records what it answers.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::spawn_blocking;
use tracing::error;

use super::{Line, check_settings, read_lines};
use crate::model::{Ask, Completion, LanguageModel, ModelError, MostTokens};

/// A model whose every answer is also appended to a cassette.
///
/// A line is handed to the system before its answer is: it survives the end of the process. If it cannot be written,
/// the answer counts nevertheless, as it was paid for.
#[derive(Debug)]
pub struct Recorder<M> {
    model: M,
    settings: String,
    tape: Arc<Mutex<Tape>>,
}

impl<M: LanguageModel> Recorder<M> {
    /// Records the answers of `model` under these settings into the cassette at `path`, after what is there already.
    ///
    /// # Errors
    /// The file, and what is wrong with it: it cannot be read or written, another process records into it, or it was
    /// recorded under other settings.
    pub fn open(model: M, settings: &str, path: &Path) -> Result<Self, String> {
        Ok(Self {
            model,
            settings: settings.to_owned(),
            tape: Arc::new(Mutex::new(Tape::open(path, settings)?)),
        })
    }
}

impl<M: LanguageModel> LanguageModel for Recorder<M> {
    fn name(&self, attempt: u32) -> &str {
        self.model.name(attempt)
    }

    fn names(&self) -> Vec<String> {
        self.model.names()
    }

    fn costs(&self) -> bool {
        self.model.costs()
    }

    fn most_tokens(&self, ask: &Ask<'_>) -> MostTokens {
        self.model.most_tokens(ask)
    }

    async fn answer(&self, ask: &Ask<'_>) -> Result<Completion, ModelError> {
        let completion = self.model.answer(ask).await?;
        let line = Line {
            settings: self.settings.clone(),
            prompt_hash: ask.prompt.hash(),
            attempt: ask.attempt,
            message_id: ask.message_id.to_owned(),
            model: self.model.name(ask.attempt).to_owned(),
            completion: completion.clone(),
        };
        let tape = Arc::clone(&self.tape);
        let append = spawn_blocking(move || tape.lock().unwrap_or_else(PoisonError::into_inner).append(&line));
        if let Err(problem) = append.await {
            error!(%problem, "recording failed");
        }
        Ok(completion)
    }
}

/// A cassette that this process alone writes.
#[derive(Debug)]
struct Tape {
    path: PathBuf,
    file: File,
    end: u64,
}

impl Tape {
    fn open(path: &Path, settings: &str) -> Result<Self, String> {
        let problem = |problem: io::Error| format!("{}: {problem}", path.display());
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path).map_err(problem)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => format!("{}: another process records into it", path.display()),
            TryLockError::Error(error) => problem(error),
        })?;
        let mut end = read_lines(path, &file, |line, _| check_settings(settings, &line))?;
        // What a crash left of a line.
        file.set_len(end).map_err(problem)?;
        let mut last = *b"\n";
        if end > 0 {
            file.read_exact_at(&mut last, end - 1).map_err(problem)?;
        }
        if last != *b"\n" {
            file.write_all_at(b"\n", end).map_err(problem)?;
            end += 1;
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            end,
        })
    }

    fn append(&mut self, line: &Line) {
        let written = serde_json::to_vec(line).map_err(io::Error::from).and_then(|mut text| {
            text.push(b'\n');
            self.file.write_all_at(&text, self.end)?;
            Ok(text.len() as u64)
        });
        match written {
            Ok(bytes) => self.end += bytes,
            Err(problem) => {
                error!(cassette = %self.path.display(), %problem, message_id = line.message_id, "an answer was not recorded");
                // The next line is written over what there is of this one; if none follows, it must not stay.
                let _ = self.file.set_len(self.end);
            }
        }
    }
}
