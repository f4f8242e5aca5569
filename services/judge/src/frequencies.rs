//! How rare words are.

use rustc_hash::FxHashMap;
use serde::Deserialize;

/// The inverse document frequencies of a corpus, by stem.
#[derive(Debug, Clone, Deserialize)]
pub struct Frequencies {
    idf: FxHashMap<String, f64>,
    unknown_idf: f64,
}

impl Frequencies {
    /// A stem's inverse document frequency; that of a word in no text if it is not known.
    pub fn idf(&self, stem: &str) -> f64 {
        self.idf.get(stem).copied().unwrap_or(self.unknown_idf)
    }

    /// Whether all of them are finite and above 0.
    pub fn are_weights(&self) -> bool {
        (self.idf.values().chain([&self.unknown_idf])).all(|idf| idf.is_finite() && *idf > 0.0)
    }
}
