//! The questions to choose from: all that is kept of one is a few bytes. They are sorted by
//! id, so that MongoDB and a file give the same question for the same index.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use futures::TryStreamExt as _;
use messaging::collection::Collection;
use messaging::mongo::Mongo;
use messaging::wait::until_ok;
use mongodb::bson::doc;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::dataset::{Position, Question, Rows};
use crate::journal::DatasetRecord;
use crate::tally::Tally;

/// Questions by index.
pub struct Source {
    place: Place,
    /// Their ids, sorted.
    pub ids: Vec<QuestionId>,
    /// Tells one set of questions from another.
    pub record: DatasetRecord,
}

enum Place {
    Mongo(Mongo),
    File { rows: Box<Rows>, positions: Vec<Position> },
}

/// A question's id: its 32 hexadecimal digits as a number, which sorts as they do.
pub type QuestionId = u128;

impl Source {
    /// The questions that MongoDB has; waits until there are some.
    ///
    /// # Errors
    /// An id that no import wrote.
    pub async fn mongo(mongo: Mongo) -> anyhow::Result<Self> {
        let some = || async {
            let ids = ids(&mongo).await?;
            ensure!(
                !ids.is_empty(),
                "there are no questions yet; `traffic-generator import FILE` puts them there"
            );
            Ok(ids)
        };
        let ids = until_ok("MongoDB", &mongo.place, some).await;
        let mut ids = ids.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        ids.sort_unstable();
        Ok(Self {
            record: describe(&ids),
            place: Place::Mongo(mongo),
            ids,
        })
    }

    /// The questions of a file; the first row of a repeated question counts.
    ///
    /// # Errors
    /// A file that cannot be read, or that has no question; a stop before it was read.
    pub fn file(path: &Path, shutdown: &CancellationToken) -> anyhow::Result<Self> {
        let mut rows = Rows::open(path)?;
        let mut tally = Tally::default();
        let mut found = Vec::new();
        for row in rows.by_ref() {
            ensure!(!shutdown.is_cancelled(), "stopped before all questions were read");
            let (position, question) = row?;
            if let Some(question) = tally.count(position, question) {
                found.push((parse(&question.question_id)?, position));
            }
        }
        tally.report(path)?;
        found.sort_unstable();
        found.dedup_by_key(|(id, _)| *id);
        let (ids, positions): (Vec<_>, _) = found.into_iter().unzip();
        Ok(Self {
            record: describe(&ids),
            place: Place::File {
                rows: rows.into(),
                positions,
            },
            ids,
        })
    }

    /// The questions at `indices`, in that order.
    ///
    /// # Errors
    /// A question that is no longer there.
    pub async fn fetch(&mut self, indices: &[usize]) -> anyhow::Result<Vec<Question>> {
        match &mut self.place {
            Place::Mongo(mongo) => find(mongo, indices.iter().map(|&index| text(self.ids[index]))).await,
            Place::File { rows, positions } => {
                let mut read = |&index: &usize| {
                    rows.seek(positions[index])?;
                    let (_, question) = rows.next().context("the file has become shorter")??;
                    question.map_err(|fault| anyhow::anyhow!("the file has changed: {fault}"))
                };
                indices.iter().map(&mut read).collect()
            }
        }
    }
}

/// All ids, in any order: sorting them is quicker here than in some servers.
async fn ids(mongo: &Mongo) -> mongodb::error::Result<Vec<anyhow::Result<QuestionId>>> {
    #[derive(Deserialize)]
    struct Found {
        _id: String,
    }
    let questions: Collection<Found> = mongo.collection("questions");
    let found = questions
        .find(doc! {})
        .projection(doc! { "_id": 1 })
        .batch_size(10_000)
        .stream()
        .await?;
    found.map_ok(|found| parse(&found._id)).try_collect().await
}

async fn find(mongo: &Mongo, ids: impl Iterator<Item = String>) -> anyhow::Result<Vec<Question>> {
    let ids: Vec<String> = ids.collect();
    let questions: Collection<Question> = mongo.collection("questions");
    let find = || questions.find(doc! { "_id": { "$in": &ids } }).all();
    let found = mongo.until_ok(find).await.into_iter();
    let found: HashMap<_, _> = found.map(|question| (question.question_id.clone(), question)).collect();
    ids.iter()
        .map(|id| {
            found
                .get(id)
                .cloned()
                .with_context(|| format!("MongoDB has question {id} no more"))
        })
        .collect()
}

/// An id as texts have it.
pub fn text(id: QuestionId) -> String {
    format!("{id:032x}")
}

/// Reads an id.
///
/// # Errors
/// One that no import wrote.
pub fn parse(id: &str) -> anyhow::Result<QuestionId> {
    QuestionId::from_str_radix(id, 16)
        .ok()
        .filter(|number| text(*number) == id)
        .with_context(|| format!("the question id {id:?} is not 32 hexadecimal digits, as an import writes them"))
}

fn describe(ids: &[QuestionId]) -> DatasetRecord {
    let mut hash = Sha256::new();
    ids.iter().for_each(|id| hash.update(id.to_be_bytes()));
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    DatasetRecord {
        questions: ids.len(),
        sha256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(rows: &str) -> (tempfile::NamedTempFile, anyhow::Result<Source>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), rows).unwrap();
        let source = Source::file(file.path(), &CancellationToken::new());
        (file, source)
    }

    #[tokio::test]
    async fn the_order_of_a_file_does_not_matter_and_of_twins_the_first_counts() {
        let (_file, source) = file("1,a,,one\n1,b,,two\nbad\n1,c,,three\n1,A,,another\n");
        let (_other, other) = file("1,c,,three\n1,b,,two\n1,a,,one\n");
        let (mut source, mut other) = (source.unwrap(), other.unwrap());
        assert_eq!(
            (source.record.questions, &source.record.sha256),
            (3, &other.record.sha256)
        );
        let answers = |questions: Vec<Question>| questions.into_iter().map(|q| q.text.best_answer).collect::<Vec<_>>();
        let first = answers(source.fetch(&[2, 0, 1, 2]).await.unwrap());
        assert_eq!(first, answers(other.fetch(&[2, 0, 1, 2]).await.unwrap()));
        assert_eq!(first[0], first[3]);
        assert!(!first.contains(&"another".into()));
    }

    #[test]
    fn a_file_without_any_question_is_refused_with_its_faults() {
        let (_file, source) = file("1,,,one\nbad\n");
        let problem = source.err().unwrap().to_string();
        assert!(problem.contains("line 1: the title is empty; line 2: "), "{problem}");
    }
}
