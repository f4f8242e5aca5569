//! Questions and answers in a file: the columns of the Yahoo! Answers set, or JSON Lines.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use anyhow::Context as _;
use contracts::topic::{MAX_ANSWER_BYTES, MAX_QUESTION_BYTES};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::records::{Format, Record, Records};

/// A question with the answer that a person gave, as MongoDB's `questions` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Tells it from every other question: 32 hexadecimal digits made from its text.
    #[serde(rename = "_id")]
    pub question_id: String,
    /// The question in one line.
    pub title: String,
    /// What the asker added; may be empty.
    pub content: String,
    /// The answer that a person gave.
    pub best_answer: String,
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
    question(
        unescape(title?),
        unescape(content?),
        unescape(answer?),
        Some(class?),
        source,
    )
}

fn from_json(columns: &[Vec<u8>], source: &str) -> Result<Question, String> {
    #[derive(Deserialize)]
    struct Line {
        title: String,
        content: Option<String>,
        best_answer: String,
        topic: Option<String>,
    }
    let line: Line = serde_json::from_slice(&columns.concat()).map_err(|error| format!("not such JSON: {error}"))?;
    question(
        line.title,
        line.content.unwrap_or_default(),
        line.best_answer,
        line.topic,
        source,
    )
}

fn question(
    title: String,
    content: String,
    best_answer: String,
    topic: Option<String>,
    source: &str,
) -> Result<Question, String> {
    let [title, content, best_answer] = [title, content, best_answer].map(|text| text.trim().to_owned());
    if title.is_empty() {
        return Err("the title is empty".into());
    }
    if best_answer.is_empty() {
        return Err("the answer is empty".into());
    }
    for (what, bytes, most) in [
        ("question", title.len() + content.len(), MAX_QUESTION_BYTES),
        ("answer", best_answer.len(), MAX_ANSWER_BYTES),
    ] {
        if bytes > most {
            return Err(format!("the {what} has {bytes} bytes and may have {most}"));
        }
    }
    Ok(Question {
        question_id: question_id(&title, &content),
        title,
        content,
        best_answer,
        topic: topic
            .map(|topic| topic.trim().to_owned())
            .filter(|topic| !topic.is_empty()),
        source: source.to_owned(),
    })
}

/// The same for two questions that differ in case and spaces alone.
fn question_id(title: &str, content: &str) -> String {
    let normalised = |text: &str| text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let digest = Sha256::digest(format!("{}\n{}", normalised(title), normalised(content)));
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
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
        assert_eq!(question.title, "why doesn't an \"optical\" mouse work?");
        assert_eq!(question.content, "or\neven a desk?");
        assert_eq!(question.best_answer, "It needs light,\n\nsays he.");
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
        assert_eq!((question.title.as_str(), question.content.as_str()), ("a\nb", ""));
        assert_eq!(
            (question.best_answer.as_str(), question.topic.as_deref()),
            ("c\\n", Some("t"))
        );
        assert!(rows[1].1.as_ref().unwrap_err().contains("best_answer"));
        assert_eq!(rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 3]);
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
                (10, "the question has 65537 bytes and may have 65536"),
                (11, "the answer has 262145 bytes and may have 262144"),
            ]
        );
        let good: Vec<_> = rows
            .iter()
            .filter_map(|(_, row)| Some(row.as_ref().ok()?.title.as_str()))
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
                prop_assert_eq!(text.trim(), &question.as_ref().unwrap().title);
                rows.seek(position).unwrap();
                prop_assert_eq!(rows.next().unwrap().unwrap(), (position, question));
            }
        }
    }
}
