//! Answers from a cassette alone.

use std::path::Path;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::Cassette;
use crate::model::{Ask, Completion, ErrorKind, LanguageModel, ModelError, MostTokens};

/// A model that gives recorded answers, byte for byte, and needs no network.
#[derive(Debug, Clone)]
pub struct Player(Arc<Cassette>);

impl Player {
    /// A player of the cassette at `path`.
    ///
    /// # Errors
    /// Those of [`Cassette::load`].
    pub fn open(path: &Path) -> Result<Self, String> {
        Ok(Self(Arc::new(Cassette::load(path)?)))
    }

    /// The hash of the settings under which the answers were recorded.
    #[must_use]
    pub fn settings(&self) -> &str {
        &self.0.settings
    }
}

impl LanguageModel for Player {
    fn name(&self, attempt: u32) -> &str {
        let models = &self.0.models;
        let nearest = models
            .range(..=attempt)
            .next_back()
            .or_else(|| models.first_key_value());
        nearest.map_or("", |(_, model)| model.as_str())
    }

    fn names(&self) -> Vec<String> {
        self.0.models.values().cloned().collect()
    }

    fn costs(&self) -> bool {
        false
    }

    fn most_tokens(&self, _: &Ask<'_>) -> MostTokens {
        MostTokens::default()
    }

    async fn answer(&self, ask: &Ask<'_>) -> Result<Completion, ModelError> {
        let not_recorded = |detail: &str| ModelError::new(ErrorKind::NotRecorded, detail);
        let prompt_hash = ask.prompt.hash();
        let Some(place) = self.0.find(&prompt_hash, ask.attempt, ask.message_id) else {
            return Err(not_recorded(&format!(
                "no answer to the prompt {prompt_hash} at attempt {} in {}",
                ask.attempt,
                self.0.path.display()
            )));
        };
        let cassette = Arc::clone(&self.0);
        let completion = spawn_blocking(move || cassette.read(place)).await;
        completion
            .unwrap_or_else(|problem| Err(problem.to_string()))
            .map_err(|problem| not_recorded(&problem))
    }
}
