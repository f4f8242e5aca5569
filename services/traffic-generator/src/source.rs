//! The questions to ask from: only their ids are in memory, sorted, so that MongoDB and a
//! file give the same question for the same index.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use futures::TryStreamExt as _;
use messaging::mongo::Mongo;
use mongodb::Collection;
use mongodb::bson::doc;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::dataset::{Position, Question, Rows};

/// Questions by index.
pub enum Source {
    /// Those of the collection `questions`.
    Mongo { mongo: Mongo, ids: Vec<String> },
    /// Those of a file, each with its place in it.
    File {
        rows: Box<Rows>,
        ids: Vec<(String, Position)>,
    },
}

#[derive(Deserialize)]
struct QuestionId {
    _id: String,
}

impl Source {
    /// The questions that MongoDB has; waits until there are some.
    pub async fn mongo(mongo: Mongo) -> Self {
        let find = || async {
            let questions: Collection<QuestionId> = mongo.database.collection("questions");
            let found = questions
                .find(doc! {})
                .projection(doc! { "_id": 1 })
                .sort(doc! { "_id": 1 })
                .await?;
            found.map_ok(|question| question._id).try_collect::<Vec<_>>().await
        };
        let some = || async {
            let ids = mongo.until_ok(find).await;
            if ids.is_empty() {
                Err("the collection `questions` is empty; import a dataset")
            } else {
                Ok(ids)
            }
        };
        let ids = messaging::wait::until_ok("MongoDB", &mongo.place, some).await;
        Self::Mongo { mongo, ids }
    }

    /// The questions of a file; the first row of a repeated question counts.
    ///
    /// # Errors
    /// A file that cannot be read, or that has no row of use.
    pub fn file(path: &Path) -> anyhow::Result<Self> {
        let mut ids = Vec::new();
        for row in Rows::open(path)? {
            if let (position, Ok(question)) = row? {
                ids.push((question.question_id, position));
            }
        }
        ensure!(!ids.is_empty(), "{}: no row can be used", path.display());
        ids.sort();
        ids.dedup_by(|a, b| a.0 == b.0);
        Ok(Self::File {
            rows: Box::new(Rows::open(path)?),
            ids,
        })
    }

    /// How many questions there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Mongo { ids, .. } => ids.len(),
            Self::File { ids, .. } => ids.len(),
        }
    }

    /// Tells one set of questions from another.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        match self {
            Self::Mongo { ids, .. } => ids.iter().for_each(|id| hash.update(id)),
            Self::File { ids, .. } => ids.iter().for_each(|(id, _)| hash.update(id)),
        }
        hash.finalize()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The questions at `indices`, in that order, in one round trip.
    ///
    /// # Errors
    /// A question that is no longer there.
    pub async fn fetch(&mut self, indices: &[usize]) -> anyhow::Result<Vec<Question>> {
        match self {
            Self::Mongo { mongo, ids } => {
                let wanted: Vec<&str> = indices.iter().map(|&index| ids[index].as_str()).collect();
                let find = || async {
                    let questions: Collection<Question> = mongo.database.collection("questions");
                    let found = questions.find(doc! { "_id": { "$in": &wanted } }).await?;
                    found
                        .map_ok(|q| (q.question_id.clone(), q))
                        .try_collect::<HashMap<_, _>>()
                        .await
                };
                let found = mongo.until_ok(find).await;
                let get = |id: &&str| {
                    found
                        .get(*id)
                        .cloned()
                        .with_context(|| format!("question {id} is gone"))
                };
                wanted.iter().map(get).collect()
            }
            Self::File { rows, ids } => {
                let mut questions = Vec::with_capacity(indices.len());
                for &index in indices {
                    rows.seek(ids[index].1)?;
                    let row = rows.next().context("the file became shorter")??;
                    questions.push(row.1.map_err(anyhow::Error::msg)?);
                }
                Ok(questions)
            }
        }
    }
}
