//! A cassette: a file of recorded answers, from which a run can be repeated without a network.
//!
//! It is JSON Lines, one [`Line`] for each answer. Errors are not recorded: to fail again costs nothing.
//!
//! An answer is found by settings, prompt, attempt and occurrence. An occurrence is one message that asked the same:
//! several may, and a model need not answer each alike. The file does not number them, they count in its order; so
//! cassettes can be joined and cut like any text.
//!
//! Which occurrence a message hears is decided by its id alone: its own if it was recorded, else the one that a hash of
//! the id picks. To count what was played would not do: which of two messages comes first differs from run to run, and a
//! replica that starts anew or takes over a partition would start to count anew. So a retry or a redelivery hears the
//! same again; a run that is repeated under its name hears what it heard; and another run hears every occurrence about
//! as often as it was recorded. None runs out.
//!
//! A message that asked twice, because its first answer was lost in a crash, counts once, with the last answer.

mod player;
mod recorder;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;

pub use self::player::Player;
pub use self::recorder::Recorder;
use crate::model::Completion;
use crate::prompt::hash;

/// One recorded answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Hash of the settings that change an answer; the same on every line of a cassette.
    pub settings: String,
    /// Hash of what the model was sent.
    pub prompt_hash: String,
    /// Which attempt this was, from 1.
    pub attempt: u32,
    /// The message that asked.
    pub message_id: String,
    /// The model, by the name that it was asked for.
    pub model: String,
    /// What it answered.
    pub completion: Completion,
}

/// Recorded answers. Only where each is in the file is kept in memory.
#[derive(Debug)]
pub struct Cassette {
    path: PathBuf,
    file: File,
    settings: String,
    models: BTreeMap<u32, String>,
    /// By prompt and attempt.
    occurrences: HashMap<(Box<str>, u32), Vec<Occurrence>>,
}

#[derive(Debug)]
struct Occurrence {
    message_id: Box<str>,
    place: Range<u64>,
}

impl Cassette {
    /// Reads a cassette.
    ///
    /// # Errors
    /// The file, the line and what is wrong with it: it cannot be read, or has other settings than the line before.
    pub fn load(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|problem| format!("{}: {problem}", path.display()))?;
        let (mut settings, mut models, mut occurrences) = (None, BTreeMap::new(), HashMap::new());
        read_lines(path, &file, |line, place| {
            check_settings(settings.get_or_insert_with(|| line.settings.clone()), &line)?;
            models.entry(line.attempt).or_insert(line.model);
            let key = (line.prompt_hash.into_boxed_str(), line.attempt);
            let message_id = line.message_id.into_boxed_str();
            let same: &mut Vec<Occurrence> = occurrences.entry(key).or_default();
            match same.iter_mut().find(|occurrence| occurrence.message_id == message_id) {
                Some(occurrence) => occurrence.place = place,
                None => same.push(Occurrence { message_id, place }),
            }
            Ok(())
        })?;
        Ok(Self {
            settings: settings.ok_or_else(|| format!("{}: no answer is recorded there", path.display()))?,
            path: path.to_owned(),
            file,
            models,
            occurrences,
        })
    }

    /// Where the answer to this is in the file.
    fn find(&self, prompt_hash: &str, attempt: u32, message_id: &str) -> Option<Range<u64>> {
        let same = self.occurrences.get(&(Box::<str>::from(prompt_hash), attempt))?;
        let own = same.iter().find(|occurrence| *occurrence.message_id == *message_id);
        let occurrence = own.or_else(|| same.get(pick(message_id, same.len())))?;
        Some(occurrence.place.clone())
    }

    fn read(&self, place: Range<u64>) -> Result<Completion, String> {
        let read = || {
            let mut text = vec![0; (place.end - place.start) as usize];
            self.file.read_exact_at(&mut text, place.start)?;
            Ok(serde_json::from_slice::<Line>(&text)?.completion)
        };
        read().map_err(|problem: io::Error| format!("{} was changed: {problem}", self.path.display()))
    }
}

/// One of so many, always the same for a message.
fn pick(message_id: &str, of: usize) -> usize {
    let number = u64::from_str_radix(&hash(&[message_id]), 16).unwrap_or_default();
    (number % of as u64) as usize
}

/// A replay has to say under which settings its answers were given.
fn check_settings(settings: &str, line: &Line) -> Result<(), String> {
    if line.settings == settings {
        return Ok(());
    }
    Err(format!(
        "recorded under the settings {}, and a cassette holds those of one kind only, here {settings}; use another file",
        line.settings
    ))
}

/// Gives every line with its place, and returns where the last one ends. A line that was torn by a crash is dropped.
fn read_lines(
    path: &Path,
    file: &File,
    mut each: impl FnMut(Line, Range<u64>) -> Result<(), String>,
) -> Result<u64, String> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let (mut text, mut end) = (Vec::new(), 0);
    for number in 1.. {
        let problem = |problem: String| format!("{}:{number}: {problem}", path.display());
        text.clear();
        let bytes = reader
            .read_until(b'\n', &mut text)
            .map_err(|error| problem(error.to_string()))?;
        let place = end..end + bytes as u64;
        if bytes == 0 {
            break;
        }
        match serde_json::from_slice(&text).map_err(unread) {
            Ok(line) => each(line, place.clone()).map_err(problem)?,
            Err(_) if text.trim_ascii().is_empty() => {}
            Err(error) if !text.ends_with(b"\n") => {
                warn!("{}", problem(format!("dropped, as it was torn by a crash: {error}")));
                break;
            }
            Err(error) => return Err(problem(error)),
        }
        end = place.end;
    }
    Ok(end)
}

/// What is wrong with a line; for the parser it is always the first.
fn unread(problem: serde_json::Error) -> String {
    format!("not a recorded answer: {problem}").replace(" at line 1 column ", " at column ")
}
