//! What outcomes have cost, in all and by model: whole numbers, as every sum here.

use std::collections::BTreeMap;

use contracts::message::{Cost, Spent};
use mongodb::bson::{Bson, Document, serialize_to_document};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::tally::flatten;

/// Most models that are told apart.
const MAX_MODELS: usize = 100;
/// A name can be as long as a message; the document is read for every batch.
const MAX_NAME_CHARS: usize = 200;

/// What calls have cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Amounts {
    /// Requests really sent to a model's server.
    pub calls: i64,
    /// Tokens sent.
    pub input_tokens: i64,
    /// Tokens received.
    pub output_tokens: i64,
    /// Price, in billionths of a US dollar.
    pub nanodollars: i64,
}

/// What calls to one model have cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelSpending {
    /// The model's name, shortened where it is very long.
    pub name: String,
    /// What it has cost.
    #[serde(flatten)]
    pub amounts: Amounts,
}

/// What outcomes have cost, failed attempts and errors included.
///
/// Of many models the ones with the lowest keys are told apart. Which those are, and all sums,
/// follow from the outcomes alone, in whatever order they are added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spending {
    /// Over all models, the simulated one too.
    #[serde(flatten)]
    pub amounts: Amounts,
    /// Outcomes whose cost is in part an estimate.
    pub estimated: i64,
    /// By a hash of the model's name: a name itself cannot be part of a path.
    pub by_model: BTreeMap<String, ModelSpending>,
    /// The models that are not told apart.
    pub other: Amounts,
}

/// What of the stored document adding to it changes, by path.
#[derive(Debug, Default)]
pub struct Change {
    /// What is added to each number.
    pub increments: Document,
    /// The names of new models.
    pub names: Document,
    /// The models that are no longer told apart.
    pub removed: Document,
    /// The names of the known models that are added to: they must still be told apart.
    pub known: Document,
}

impl Change {
    /// Whether other models are told apart afterwards.
    pub fn changes_models(&self) -> bool {
        !self.names.is_empty() || !self.removed.is_empty()
    }
}

impl Amounts {
    fn add(&mut self, more: &Self) {
        for (sum, more) in [
            (&mut self.calls, more.calls),
            (&mut self.input_tokens, more.input_tokens),
            (&mut self.output_tokens, more.output_tokens),
            (&mut self.nanodollars, more.nanodollars),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

impl From<&Cost> for Amounts {
    fn from(cost: &Cost) -> Self {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Self {
            calls: cost.calls.into(),
            input_tokens: whole(cost.input_tokens),
            output_tokens: whole(cost.output_tokens),
            nanodollars: whole(cost.nanodollars),
        }
    }
}

impl From<&Spent> for Spending {
    fn from(spent: &Spent) -> Self {
        let mut spending = Self {
            amounts: (&spent.cost).into(),
            estimated: spent.estimated.into(),
            ..Self::default()
        };
        for entry in &spent.by_model {
            let model = spending.by_model.entry(key(&entry.model)).or_default();
            model.name = shortened(&entry.model);
            model.amounts.add(&(&entry.cost).into());
        }
        spending.keep_lowest();
        spending
    }
}

impl Spending {
    /// Adds other outcomes' spending.
    pub fn add(&mut self, more: &Self) {
        self.amounts.add(&more.amounts);
        self.estimated += more.estimated;
        self.other.add(&more.other);
        for (key, model) in &more.by_model {
            let sum = self.by_model.entry(key.clone()).or_default();
            sum.name.clone_from(&model.name);
            sum.amounts.add(&model.amounts);
        }
        self.keep_lowest();
    }

    /// A key that is dropped once stays above `MAX_MODELS` lower ones, so it never comes back.
    fn keep_lowest(&mut self) {
        while self.by_model.len() > MAX_MODELS
            && let Some((_, dropped)) = self.by_model.pop_last()
        {
            self.other.add(&dropped.amounts);
        }
    }

    /// How the stored document, which has this at `prefix`, changes when `more` is added.
    ///
    /// # Errors
    /// Never in practice: everything is plain data.
    pub fn change(&self, more: &Self, prefix: &str) -> anyhow::Result<Change> {
        let mut change = Change::default();
        if *more == Self::default() {
            return Ok(change);
        }
        let mut sum = self.clone();
        sum.add(more);
        let (mut before, mut after) = (Document::new(), Document::new());
        flatten(prefix, &serialize_to_document(self)?, &mut before);
        flatten(prefix, &serialize_to_document(&sum)?, &mut after);
        for (path, value) in after {
            match (value, before.get(&path)) {
                (Bson::Int64(now), then) => {
                    let added = now - then.and_then(Bson::as_i64).unwrap_or_default();
                    if added != 0 {
                        change.increments.insert(path, added);
                    }
                }
                (name, None) => {
                    change.names.insert(path, name);
                }
                _ => {}
            }
        }
        for (key, model) in &self.by_model {
            if !sum.by_model.contains_key(key) {
                change.removed.insert(format!("{prefix}by_model.{key}"), "");
            } else if more.by_model.contains_key(key) {
                change.known.insert(format!("{prefix}by_model.{key}.name"), &model.name);
            }
        }
        Ok(change)
    }
}

/// The first 16 hexadecimal digits of the SHA-256 of a name.
fn key(name: &str) -> String {
    let digest = Sha256::digest(name);
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn shortened(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME_CHARS) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spending(model: &str, nanodollars: u64) -> Spending {
        let mut spent = Spent::default();
        let cost = Cost {
            calls: 1,
            input_tokens: 10,
            output_tokens: 5,
            nanodollars,
        };
        spent.add_for(model, &cost);
        Spending::from(&spent)
    }

    #[test]
    fn any_text_can_name_a_model() {
        let long = "ñ".repeat(5 * 1024);
        let names = ["", "a.b", "$set", "org/model:free", "\0", "other", &long];
        let mut sum = Spending::default();
        names.iter().for_each(|name| sum.add(&spending(name, 7)));
        assert_eq!((sum.by_model.len(), sum.amounts.nanodollars), (names.len(), 49));
        for (key, model) in &sum.by_model {
            assert!(key.len() == 16 && key.bytes().all(|digit| digit.is_ascii_hexdigit()));
            assert!(model.name.chars().count() <= MAX_NAME_CHARS + 1);
        }
    }

    #[test]
    fn of_many_models_the_same_are_told_apart_in_whatever_order_they_come() {
        let all: Vec<_> = (0..250).map(|n| spending(&format!("m{n}"), n)).collect();
        let (mut forwards, mut backwards) = (Spending::default(), Spending::default());
        all.iter().for_each(|one| forwards.add(one));
        all.chunks(30).rev().for_each(|batch| {
            let mut sum = Spending::default();
            batch.iter().for_each(|one| sum.add(one));
            backwards.add(&sum);
        });
        assert_eq!(forwards, backwards);
        let told_apart: i64 = forwards.by_model.values().map(|model| model.amounts.nanodollars).sum();
        assert_eq!(forwards.by_model.len(), MAX_MODELS);
        assert_eq!(told_apart + forwards.other.nanodollars, forwards.amounts.nanodollars);
        assert_eq!(forwards.other.calls, 150);
    }
}
