//! Questions and answers in a file: the columns of the Yahoo! Answers set, or JSON Lines.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use anyhow::Context as _;
use contracts::message;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::records::{Format, Record, Records};

/// A question with the answers that people gave, as MongoDB's `questions` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Tells it from every other question: 32 hexadecimal digits made from its text.
    #[serde(rename = "_id")]
    pub question_id: String,
    /// The question with the answers that people gave.
    #[serde(flatten)]
    pub text: message::Question,
    /// What it is about: the dataset's class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The dataset: the name of its file, without the ending.
    pub source: String,
}

/// Where a row of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Where it begins, in bytes from the start of the file.
    pub byte: u64,
    /// The line it begins on, from 1.
    pub line: u64,
}

/// The rows of a file, each as a question or with what is wrong with it.
pub struct Rows {
    records: Records<BufReader<File>>,
    format: Format,
    source: String,
}

impl Rows {
    /// Opens a file and finds out which format it has.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let open = || Records::new(BufReader::new(File::open(path)?));
        let (format, records) = open().with_context(|| format!("{} cannot be read", path.display()))?;
        let source = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self {
            records,
            format,
            source,
        })
    }

    /// Goes to a row, whose position an earlier reading gave.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn seek(&mut self, position: Position) -> io::Result<()> {
        self.records.seek(position)
    }

    fn question(&self, columns: Vec<Vec<u8>>) -> Result<Question, String> {
        match self.format {
            Format::Csv => from_csv(columns, &self.source),
            Format::JsonLines => from_json(&columns, &self.source),
        }
    }
}

impl Iterator for Rows {
    type Item = io::Result<(Position, Result<Question, String>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self
            .records
            .by_ref()
            .find(|record| !record.as_ref().is_ok_and(is_header))?;
        Some(record.map(|record| {
            (
                record.position,
                record.columns.and_then(|columns| self.question(columns)),
            )
        }))
    }
}

/// Whether a record names the columns instead of filling them.
fn is_header(record: &Record) -> bool {
    const CLASS: [&str; 4] = ["class", "class_index", "class index", "topic"];
    let is_class = |column: &[u8]| CLASS.iter().any(|name| column.eq_ignore_ascii_case(name.as_bytes()));
    record.position.line == 1
        && record
            .columns
            .as_ref()
            .is_ok_and(|columns| columns.first().is_some_and(|c| is_class(c)))
}

fn from_csv(columns: Vec<Vec<u8>>, source: &str) -> Result<Question, String> {
    let columns: [Vec<u8>; 4] = columns
        .try_into()
        .map_err(|columns: Vec<_>| format!("the number of columns is {} and should be 4", columns.len()))?;
    let [class, title, content, answer] = columns.map(|column| String::from_utf8(column).map_err(|_| "not UTF-8"));
    // The set has its line breaks written out.
    let unescape = |text: String| text.replace("\\n", "\n");
    let text = message::Question {
        title: unescape(title?),
        content: unescape(content?),
        best_answer: unescape(answer?),
        other_answers: vec![],
    };
    question(text, Some(class?), source)
}

fn from_json(columns: &[Vec<u8>], source: &str) -> Result<Question, String> {
    #[derive(Deserialize)]
    struct Line {
        title: String,
        content: Option<String>,
        best_answer: String,
        other_answers: Option<Vec<String>>,
        topic: Option<String>,
    }
    let line: Line = serde_json::from_slice(&columns.concat()).map_err(|error| format!("not such JSON: {error}"))?;
    let text = message::Question {
        title: line.title,
        content: line.content.unwrap_or_default(),
        best_answer: line.best_answer,
        other_answers: line.other_answers.unwrap_or_default(),
    };
    question(text, line.topic, source)
}

fn question(text: message::Question, topic: Option<String>, source: &str) -> Result<Question, String> {
    let text = tidy(text);
    if text.title.is_empty() {
        return Err("the title is empty".into());
    }
    if text.best_answer.is_empty() {
        return Err("the answer is empty".into());
    }
    text.check_size()?;
    Ok(Question {
        question_id: question_id(&text.title, &text.content),
        text,
        topic: topic
            .map(|topic| topic.trim().to_owned())
            .filter(|topic| !topic.is_empty()),
        source: source.to_owned(),
    })
}

/// Without the spaces around texts, and without other answers that say nothing new.
fn tidy(text: message::Question) -> message::Question {
    let trim = |text: String| text.trim().to_owned();
    let best_answer = trim(text.best_answer);
    let mut other_answers: Vec<String> = Vec::with_capacity(text.other_answers.len());
    for other in text.other_answers.into_iter().map(trim) {
        if !other.is_empty() && other != best_answer && !other_answers.contains(&other) {
            other_answers.push(other);
        }
    }
    message::Question {
        title: trim(text.title),
        content: trim(text.content),
        best_answer,
        other_answers,
    }
}

/// The same for two questions that differ in case and spaces alone.
pub fn question_id(title: &str, content: &str) -> String {
    let normalised = |text: &str| text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let digest = Sha256::digest(format!("{}\n{}", normalised(title), normalised(content)));
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use contracts::topic::{MAX_ANSWER_BYTES, MAX_OTHER_ANSWERS, MAX_QUESTION_BYTES};
    use proptest::prelude::*;

    use super::*;

    fn rows(name: &str, content: &[u8]) -> (tempfile::TempDir, Rows) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        (folder, Rows::open(&path).unwrap())
    }

    fn read(name: &str, content: &[u8]) -> Vec<(u64, Result<Question, String>)> {
        let (_folder, rows) = rows(name, content);
        rows.map(Result::unwrap)
            .map(|(position, question)| (position.line, question))
            .collect()
    }

    #[test]
    fn a_row_of_the_yahoo_answers_set_loses_its_escapes() {
        let rows = read(
            "train.csv",
            br#""5","why doesn't an ""optical"" mouse work?","or\neven a desk?","It needs light,\n\nsays he.""#,
        );
        let question = rows[0].1.as_ref().unwrap();
        assert_eq!(question.text.title, "why doesn't an \"optical\" mouse work?");
        assert_eq!(question.text.content, "or\neven a desk?");
        assert_eq!(question.text.best_answer, "It needs light,\n\nsays he.");
        assert_eq!(question.topic.as_deref(), Some("5"));
        assert_eq!(question.source, "train");
    }

    #[test]
    fn a_line_of_json_needs_a_title_and_an_answer() {
        let rows = read(
            "mine.jsonl",
            b"{\"title\": \"a\\nb\", \"best_answer\": \"c\\\\n\", \"topic\": \"t\"}\n{\"title\": \"a\"}\n[1]\n",
        );
        let question = rows[0].1.as_ref().unwrap();
        assert_eq!(
            (question.text.title.as_str(), question.text.content.as_str()),
            ("a\nb", "")
        );
        assert_eq!(
            (question.text.best_answer.as_str(), question.topic.as_deref()),
            ("c\\n", Some("t"))
        );
        assert!(rows[1].1.as_ref().unwrap_err().contains("best_answer"));
        assert_eq!(rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn other_answers_are_kept_once_each_and_only_if_they_differ_from_the_best() {
        let rows = read(
            "mine.jsonl",
            br#"{"title": "a", "best_answer": "b", "other_answers": [" c ", "", "b ", "d", "c"]}
{"title": "a", "best_answer": "b", "other_answers": null}
{"title": "a", "best_answer": "b", "other_answers": "c"}"#,
        );
        let others = |row: usize| &rows[row].1.as_ref().unwrap().text.other_answers;
        assert_eq!(others(0), &["c", "d"]);
        assert!(others(1).is_empty());
        assert!(rows[2].1.as_ref().unwrap_err().contains("not such JSON"));
        let many: Vec<_> = (0..=MAX_OTHER_ANSWERS).map(|number| number.to_string()).collect();
        let line = serde_json::json!({ "title": "a", "best_answer": "b", "other_answers": many });
        let fault = read("mine.jsonl", line.to_string().as_bytes()).remove(0).1.unwrap_err();
        assert!(fault.contains("other_answers has 17 texts"), "{fault}");
    }

    #[test]
    fn a_question_is_stored_flat_and_one_that_was_imported_before_other_answers_is_read() {
        let row = br#"{"title": "a", "best_answer": "b", "other_answers": ["c"], "topic": "t"}"#;
        let question = read("mine.jsonl", row).remove(0).1.unwrap();
        let stored = mongodb::bson::serialize_to_document(&question).unwrap();
        assert_eq!(stored.get_str("best_answer").unwrap(), "b");
        let read: Question = mongodb::bson::deserialize_from_document(stored.clone()).unwrap();
        assert_eq!(read, question);
        let mut old = stored;
        old.remove("other_answers");
        let question: Question = mongodb::bson::deserialize_from_document(old).unwrap();
        assert!(question.text.other_answers.is_empty());
    }

    #[test]
    fn bad_rows_are_told_with_their_lines_and_the_good_ones_kept() {
        let file = [
            b"class,question_title,question_content,best_answer\n1,a,b,c\n\n1,a,b\n1,,b,c\n".as_slice(),
            b"1,a,b,\" \"\n1,\xff,b,c\n2,\"d\ne\",,f\n",
            format!(
                "1,{},b,c\n1,a,b,{}\n",
                "x".repeat(MAX_QUESTION_BYTES),
                "x".repeat(MAX_ANSWER_BYTES + 1)
            )
            .as_bytes(),
            b"3,g,h,i",
        ]
        .concat();
        let rows = read("some.csv", &file);
        let bad: Vec<_> = rows
            .iter()
            .filter_map(|(line, row)| Some((*line, row.as_ref().err()?.as_str())))
            .collect();
        assert_eq!(
            bad,
            [
                (4, "the number of columns is 3 and should be 4"),
                (5, "the title is empty"),
                (6, "the answer is empty"),
                (7, "not UTF-8"),
                (10, "too_large: the question has 65537 bytes, 65536 at most are allowed"),
                (
                    11,
                    "too_large: best_answer has 262145 bytes, 262144 at most are allowed"
                ),
            ]
        );
        let good: Vec<_> = rows
            .iter()
            .filter_map(|(_, row)| Some(row.as_ref().ok()?.text.title.as_str()))
            .collect();
        assert_eq!(good, ["a", "d\ne", "g"]);
    }

    #[test]
    fn a_question_is_the_same_in_other_case_and_spacing_and_another_in_other_words() {
        let id = question_id;
        assert_eq!(
            id("Why is  the SKY blue? ", "Ünder\n water"),
            id("why is the sky blue?", " ünder water ")
        );
        assert_ne!(id("why is the sky blue?", ""), id("why is the sea blue?", ""));
        assert_ne!(id("a b", ""), id("a", "b"));
        // Answers are stored under it: it must never change.
        assert_eq!(id("Why?", ""), "cb9945c0962ea9dc28e96b0f3f3ab6b7");
    }

    proptest! {
        #[test]
        fn every_question_is_found_again_by_its_place(texts in prop::collection::vec("[a-zé\",\n ]{0,12}[a-z]", 1..20)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            for text in &texts {
                writer.write_record(["1", text, "more", "answer"]).unwrap();
            }
            let (_folder, mut rows) = rows("some.csv", &writer.into_inner().unwrap());
            let read: Vec<_> = rows.by_ref().map(Result::unwrap).collect();
            prop_assert_eq!(read.len(), texts.len());
            for ((position, question), text) in read.into_iter().zip(&texts).rev() {
                prop_assert_eq!(text.trim(), &question.as_ref().unwrap().text.title);
                rows.seek(position).unwrap();
                prop_assert_eq!(rows.next().unwrap().unwrap(), (position, question));
            }
        }
    }
}
