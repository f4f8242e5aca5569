//! By which settings the model would be asked now: an answer by others is not what it would say.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use messaging::model_settings::{self, ModelSettings};
use messaging::mongo::Mongo;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::fresh::keep_fresh;

/// The settings in force, as llm-consumer publishes them.
pub struct Models {
    /// Whether an answer by any settings will do.
    across: bool,
    in_force: Mutex<Option<Arc<str>>>,
}

/// By which settings an answer must have been made to be reused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// By whichever.
    Any,
    /// By those of this hash.
    Only(Arc<str>),
    /// That is not known yet: no answer may be reused.
    Unknown,
}

impl Wanted {
    /// Whether an answer by `settings` may be reused.
    pub fn allows(&self, settings: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::Only(hash) => settings == Some(hash),
            Self::Unknown => false,
        }
    }
}

impl Models {
    /// None is known; with `across`, none has to be.
    pub fn new(across: bool) -> Self {
        Self {
            across,
            in_force: Mutex::default(),
        }
    }

    /// Looks for new settings again and again, until `shutdown`.
    pub async fn follow(&self, mongo: &Mongo, shutdown: CancellationToken) {
        keep_fresh(async || self.refresh(mongo).await, shutdown).await;
    }

    /// Learns which settings are in force.
    pub async fn refresh(&self, mongo: &Mongo) {
        self.learn(mongo.until_ok(|| model_settings::newest(mongo)).await);
    }

    /// Learns that these are in force.
    pub fn learn(&self, newest: Option<ModelSettings>) {
        let mut in_force = self.in_force();
        if let Some(newest) = newest.filter(|newest| in_force.as_deref() != Some(&*newest.hash)) {
            let ModelSettings { hash, mode, models, .. } = newest;
            info!(
                settings = hash,
                mode,
                ?models,
                "the model is asked by these settings now"
            );
            *in_force = Some(hash.into());
        }
    }

    /// What an answer needs to be reused now.
    pub fn wanted(&self) -> Wanted {
        if self.across {
            return Wanted::Any;
        }
        self.in_force().clone().map_or(Wanted::Unknown, Wanted::Only)
    }

    fn in_force(&self) -> MutexGuard<'_, Option<Arc<str>>> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::settings;

    #[test]
    fn nothing_is_wanted_until_settings_are_known_and_then_only_answers_by_the_newest() {
        let models = Models::new(false);
        assert_eq!(models.wanted(), Wanted::Unknown);
        assert!(!models.wanted().allows(None) && !models.wanted().allows(Some("m1")));
        models.learn(Some(settings("m1")));
        models.learn(None);
        assert!(models.wanted().allows(Some("m1")));
        models.learn(Some(settings("m2")));
        let wanted = models.wanted();
        assert!(!wanted.allows(Some("m1")) && wanted.allows(Some("m2")) && !wanted.allows(None));
    }

    #[test]
    fn across_models_any_answer_will_do() {
        let models = Models::new(true);
        assert!(models.wanted().allows(None));
        models.learn(Some(settings("m1")));
        assert!(models.wanted().allows(Some("m2")));
    }
}
