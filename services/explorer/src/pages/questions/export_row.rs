//! An outcome as an export has it: names as in the messages, times in UTC, decimal points in every language.

use std::collections::BTreeMap;

use contracts::message::{Confidence, PreviousAttempt, ScoredAttempt, Source, Spent, Usage, Verdict};
use contracts::value::Score;
use messaging::result_document::ResultDocument;
use mongodb::bson::DateTime;
use serde::Serialize;

use crate::index::query::time;
use crate::index::row::name;

/// An outcome.
#[derive(Serialize)]
pub struct Row<'a> {
    message_id: &'a str,
    question_id: &'a str,
    trace_id: &'a str,
    run: Option<&'a str>,
    topic: Option<&'a str>,
    verdict: Verdict,
    score: Option<Score>,
    threshold: Option<Score>,
    confidence: Option<Confidence>,
    attempts: u32,
    source: Option<Source>,
    model: Option<&'a str>,
    scorer: Option<&'a str>,
    error_type: Option<&'a str>,
    error_detail: Option<&'a str>,
    latency_ms: Option<i64>,
    asked_at: Option<String>,
    decided_at: String,
    title: Option<&'a str>,
    content: Option<&'a str>,
    best_answer: Option<&'a str>,
    other_answers: &'a [String],
    llm_answer: Option<&'a str>,
    thinking: Option<&'a str>,
    history: &'a [ScoredAttempt],
    previous: Option<&'a PreviousAttempt>,
    signals: Option<&'a BTreeMap<String, f64>>,
    usage: Option<&'a Usage>,
    spent: Option<&'a Spent>,
    calls: Option<u32>,
    finish_reason: Option<&'a str>,
    prompt_version: Option<&'a str>,
    settings: Option<&'a str>,
    retry_of: Option<&'a str>,
    forgotten_at: Option<String>,
}

impl<'a> Row<'a> {
    /// The row of an outcome.
    pub fn of(outcome: &'a ResultDocument) -> Self {
        let facts = &outcome.facts;
        Self {
            message_id: outcome.id.as_str(),
            question_id: outcome.question_id.as_str(),
            trace_id: outcome.trace_id.as_str(),
            run: outcome.run.as_ref().map(|run| run.as_str()),
            topic: outcome.topic.as_deref(),
            verdict: facts.verdict,
            score: facts.score,
            threshold: outcome.threshold,
            confidence: facts.confidence,
            attempts: facts.attempts,
            source: facts.source,
            model: outcome.model.as_deref(),
            scorer: outcome.scorer.as_deref(),
            error_type: outcome.error.as_ref().map(|error| error.kind.as_str()),
            error_detail: outcome.error.as_ref().map(|error| error.detail.as_str()),
            latency_ms: facts.latency_ms,
            asked_at: outcome.asked_at.map(utc),
            decided_at: utc(outcome.decided_at),
            title: outcome.title.as_deref(),
            content: outcome.content.as_deref(),
            best_answer: outcome.best_answer.as_deref(),
            other_answers: &outcome.other_answers,
            llm_answer: outcome.llm_answer.as_deref(),
            thinking: outcome.thinking.as_deref(),
            history: &outcome.history,
            previous: outcome.previous.as_ref(),
            signals: outcome.signals.as_ref(),
            usage: facts.usage.as_ref(),
            spent: facts.spent.as_ref(),
            calls: outcome.calls,
            finish_reason: outcome.finish_reason.as_deref(),
            prompt_version: outcome.prompt_version.as_deref(),
            settings: outcome.settings.as_deref(),
            retry_of: outcome.retry_of.as_ref().map(|id| id.as_str()),
            forgotten_at: outcome.forgotten_at.map(utc),
        }
    }
}

fn utc(moment: DateTime) -> String {
    time(moment.timestamp_millis())
}

/// The columns of a CSV file; JSON Lines have more.
const COLUMNS: [&str; 25] = [
    "message_id",
    "question_id",
    "run",
    "topic",
    "verdict",
    "score",
    "threshold",
    "confidence",
    "attempts",
    "source",
    "model",
    "scorer",
    "error_type",
    "error_detail",
    "latency_ms",
    "input_tokens",
    "output_tokens",
    "nanodollars",
    "asked_at",
    "decided_at",
    "title",
    "content",
    "best_answer",
    "other_answers",
    "llm_answer",
];

/// Outcomes as lines of CSV, after the names of the columns in the first ones.
pub fn csv_lines(outcomes: &[ResultDocument], is_first: bool) -> csv::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(vec![]);
    if is_first {
        writer.write_record(COLUMNS)?;
    }
    for outcome in outcomes {
        writer.write_record(cells(&Row::of(outcome)))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn cells(row: &Row) -> [String; COLUMNS.len()] {
    let text = |text: Option<&str>| guarded(text.unwrap_or_default());
    let cost = row.spent.map(|spent| spent.cost);
    [
        guarded(row.message_id),
        guarded(row.question_id),
        text(row.run),
        text(row.topic),
        name(&row.verdict),
        number(row.score),
        number(row.threshold),
        row.confidence.as_ref().map(name).unwrap_or_default(),
        row.attempts.to_string(),
        row.source.as_ref().map(name).unwrap_or_default(),
        text(row.model),
        text(row.scorer),
        text(row.error_type),
        text(row.error_detail),
        number(row.latency_ms),
        number(cost.map(|cost| cost.input_tokens)),
        number(cost.map(|cost| cost.output_tokens)),
        number(cost.map(|cost| cost.nanodollars)),
        row.asked_at.clone().unwrap_or_default(),
        row.decided_at.clone(),
        text(row.title),
        text(row.content),
        text(row.best_answer),
        guarded(&row.other_answers.join("\n\n")),
        text(row.llm_answer),
    ]
}

fn number(number: Option<impl ToString>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// A text that no spreadsheet takes for a formula (OWASP ASVS 5.0, 1.2.10).
fn guarded(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\0']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use messaging::input::{Origin, Outcome, Received};

    use super::*;

    fn outcome(change: impl FnOnce(&mut serde_json::Value)) -> ResultDocument {
        let example = include_str!("../../../../../contracts/examples/ValidatedResponse/valid/every_field.json");
        let mut example = serde_json::from_str(example).unwrap();
        change(&mut example);
        let origin = Origin {
            topic: String::new(),
            partition: 0,
            offset: 0,
        };
        let input = Outcome::Validated(serde_json::from_value(example).unwrap());
        ResultDocument::new(Received { input, origin }, "")
    }

    #[test]
    fn no_text_is_a_formula_in_csv_and_numbers_stay_numbers() {
        let texts = ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "\0x"];
        for text in texts {
            let outcome = outcome(|message| {
                message["title"] = text.into();
                message["score"] = 0.25.into();
            });
            let lines = csv_lines(&[outcome], true).unwrap();
            let mut read = csv::Reader::from_reader(lines.as_slice());
            let cell = |name: &str| COLUMNS.iter().position(|column| *column == name).unwrap();
            let record = read.records().next().unwrap().unwrap();
            assert_eq!(&record[cell("title")], format!("'{text}"));
            assert_eq!(&record[cell("score")], "0.25");
        }
        assert_eq!(guarded("2 + 2"), "2 + 2");
    }

    #[test]
    fn csv_keeps_quotes_commas_and_lines() {
        let text = "a \"b\", c\nd";
        let lines = csv_lines(&[outcome(|message| message["llm_answer"] = text.into())], false).unwrap();
        let mut read = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(lines.as_slice());
        let record = read.records().next().unwrap().unwrap();
        assert_eq!((record.len(), &record[COLUMNS.len() - 1]), (COLUMNS.len(), text));
    }

    #[test]
    fn json_lines_are_exact() {
        let line = serde_json::to_string(&Row::of(&outcome(|message| message["title"] = "=1\n\"ñ\"".into()))).unwrap();
        assert!(!line.contains('\n'));
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["title"], "=1\n\"ñ\"");
        assert!(read["decided_at"].as_str().unwrap().ends_with('Z') && read["history"].is_array());
    }
}
