//! Which runs have a metrics document of their own.

use serde::{Deserialize, Serialize};

/// Most runs that have one.
pub const MAX_RUNS: usize = 1000;

/// The list of them, in the collection `metrics` beside what it names. It only grows: so what a run was counted in
/// once stays the place to count it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    #[serde(rename = "_id")]
    id: String,
    names: Vec<String>,
}

impl Runs {
    /// The `_id` of the list.
    pub const ID: &str = "runs";
    /// The `_id` of the document of all runs that are not in the list.
    pub const OTHER: &str = "runs:other";

    /// A list of no run.
    pub fn none() -> Self {
        Self {
            id: Self::ID.to_owned(),
            names: vec![],
        }
    }

    /// The `_id` of the document of a run that is in the list. A name is anything, and so never part of a path.
    pub fn document(name: &str) -> String {
        format!("run:{name}")
    }

    /// The documents that the list makes: of each run, and of the others.
    pub fn documents(&self) -> impl Iterator<Item = (String, Option<String>)> {
        let named = self.names.iter().map(|name| (Self::document(name), Some(name.clone())));
        named.chain([(Self::OTHER.to_owned(), None)])
    }

    /// The `_id` of the document to count a run in; `None` while it can still be put into the list.
    pub fn place_of(&self, name: &str) -> Option<String> {
        if self.names.iter().any(|known| known == name) {
            Some(Self::document(name))
        } else {
            self.is_full().then(|| Self::OTHER.to_owned())
        }
    }

    /// Puts a run into the list if there is room.
    pub fn add(&mut self, name: &str) {
        if self.place_of(name).is_none() {
            self.names.push(name.to_owned());
        }
    }

    fn is_full(&self) -> bool {
        self.names.len() >= MAX_RUNS
    }
}
