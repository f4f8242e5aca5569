//! Recorded arrivals, to be followed again.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use csv::{Position, ReaderBuilder, StringRecord, Trim};
use jiff::Timestamp;

use crate::source::{QuestionId, parse, text};

/// A recorded arrival.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recorded {
    /// When, in seconds from the start.
    pub at: f64,
    /// What was asked, if the recording says so.
    pub question: Option<QuestionId>,
    /// Its line in the file.
    pub line: u64,
}

/// The columns that may name a question, the first one that is filled counts.
type Named = [Option<usize>; 2];

/// Reads a recorded run, in order: seconds from its start, one a line; or CSV with a column
/// `time` of such seconds; or the column `scheduled` of an earlier `events.csv`. A column
/// `question_id` names the questions, or `paraphrase_of` where they were asked in other words.
///
/// # Errors
/// A file that cannot be read, or the line that is at fault.
pub fn read(file: &Path) -> anyhow::Result<Vec<Recorded>> {
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    // Else the reader of CSV would count each line break of Windows to the line after it.
    let text = text.replace("\r\n", "\n");
    let text = text.trim_start_matches('\u{feff}');
    let header = text.lines().next().unwrap_or_default();
    let column = |wanted| {
        header
            .split(',')
            .position(|name| name.trim().trim_matches('"') == wanted)
    };
    let named = ["paraphrase_of", "question_id"].map(column);
    let trace = match (column("scheduled"), column("time")) {
        (Some(scheduled), _) => from_events(text, scheduled, named)?,
        (None, Some(time)) => from_table(text, time, named)?,
        (None, None) => from_lines(text)?,
    };
    ensure!(!trace.is_empty(), "{} holds no times", file.display());
    Ok(trace)
}

/// Where the questions that are named stand among `ids`, which are sorted.
///
/// # Errors
/// The first question that is not there.
pub fn places<'a>(trace: impl Iterator<Item = &'a Recorded>, ids: &[QuestionId]) -> anyhow::Result<Vec<Option<usize>>> {
    let place = |id: QuestionId, line: u64| {
        ids.binary_search(&id).ok().with_context(|| {
            let id = text(id);
            format!("TRAFFIC_SOURCE does not have the question {id} that line {line} of the trace names")
        })
    };
    trace
        .map(|recorded| recorded.question.map(|id| place(id, recorded.line)).transpose())
        .collect()
}

fn from_lines(text: &str) -> anyhow::Result<Vec<Recorded>> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let mut last = 0.0;
    lines
        .filter(|(_, time)| !time.is_empty())
        .map(|(line, time)| {
            let at = seconds(time, &mut last).with_context(|| format!("line {line}"))?;
            Ok(Recorded {
                at,
                question: None,
                line,
            })
        })
        .collect()
}

fn from_table(text: &str, time: usize, named: Named) -> anyhow::Result<Vec<Recorded>> {
    let mut last = 0.0;
    let rows = rows(text, time, named, |time| seconds(time, &mut last))?;
    Ok(rows
        .into_iter()
        .map(|(at, question, line)| Recorded { at, question, line })
        .collect())
}

fn from_events(text: &str, scheduled: usize, named: Named) -> anyhow::Result<Vec<Recorded>> {
    let timestamp = |time: &str| {
        time.parse::<Timestamp>()
            .with_context(|| format!("{time:?} is not a time"))
    };
    let mut events = rows(text, scheduled, named, timestamp)?;
    // They are there in the order of their acknowledgement.
    events.sort_by_key(|(scheduled, ..)| *scheduled);
    let Some(&(start, ..)) = events.first() else {
        return Ok(Vec::new());
    };
    let since_start = |(scheduled, question, line): (Timestamp, _, _)| Recorded {
        at: scheduled.duration_since(start).as_secs_f64(),
        question,
        line,
    };
    Ok(events.into_iter().map(since_start).collect())
}

/// What each row says: its time, as `read_time` understands it, its question, and its line.
fn rows<T>(
    text: &str,
    time: usize,
    named: Named,
    mut read_time: impl FnMut(&str) -> anyhow::Result<T>,
) -> anyhow::Result<Vec<(T, Option<QuestionId>, u64)>> {
    let reader = ReaderBuilder::new().trim(Trim::All).from_reader(text.as_bytes());
    let mut read = |row: &StringRecord| {
        let time = read_time(row.get(time).unwrap_or_default())?;
        let mut named = named.iter().filter_map(|column| row.get((*column)?));
        let question = named.find(|id| !id.is_empty()).map(parse).transpose()?;
        anyhow::Ok((time, question))
    };
    reader
        .into_records()
        .map(|row| {
            let row = row?;
            let line = row.position().map_or(0, Position::line);
            let (time, question) = read(&row).with_context(|| format!("line {line}"))?;
            Ok((time, question, line))
        })
        .collect()
}

/// A number of seconds that is not less than the `last`.
fn seconds(text: &str, last: &mut f64) -> anyhow::Result<f64> {
    let time: f64 = text
        .parse()
        .with_context(|| format!("{text:?} is not a number of seconds"))?;
    ensure!(
        time.is_finite() && time >= 0.0,
        "{time} is not a number of seconds from 0"
    );
    ensure!(time >= *last, "{time} comes after {last}; times must not fall");
    *last = time;
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Recorded>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        read(file.path()).map_err(|error| format!("{error:#}"))
    }

    fn times(text: &str) -> Vec<f64> {
        read_text(text).unwrap().iter().map(|recorded| recorded.at).collect()
    }

    /// The id of a question that is called by one digit, as files have it.
    fn id(digit: u8) -> String {
        format!("{digit:032x}")
    }

    #[test]
    fn times_are_read_one_a_line() {
        assert_eq!(times("0.5\n\n 0.5\n2\n"), [0.5, 0.5, 2.0]);
        assert_eq!(read_text("1\n\n2\n").unwrap()[1].line, 3);
    }

    #[test]
    fn an_event_log_gives_the_times_since_its_first_question() {
        let log = "message_id,scheduled,partition\nb,2026-01-01T00:00:02.5Z,0\na,2026-01-01T00:00:01Z,1\n";
        assert_eq!(times(log), [0.0, 1.5]);
    }

    #[test]
    fn a_table_and_an_event_log_name_the_questions_that_they_have() {
        let (one, two) = (id(1), id(2));
        let table = format!("time,question_id\n0.5,{two}\n0.5,\n2,{one}\n");
        let log =
            format!("message_id,question_id,scheduled\nb,{one},2026-01-01T00:00:02.5Z\na,{two},2026-01-01T00:00:01Z\n");
        for (text, expected) in [
            (
                table.clone(),
                vec![(0.5, Some(2), 2), (0.5, None, 3), (2.0, Some(1), 4)],
            ),
            (
                format!("\u{feff}\"question_id\", time\r\n{one},7\r\n"),
                vec![(7.0, Some(1), 2)],
            ),
            (
                format!("time,question_id,paraphrase_of\n1,{one},{two}\n2,{one},\n"),
                vec![(1.0, Some(2), 2), (2.0, Some(1), 3)],
            ),
            (log, vec![(0.0, Some(2), 3), (1.5, Some(1), 2)]),
        ] {
            let found = read_text(&text).unwrap();
            let found: Vec<_> = found.iter().map(|row| (row.at, row.question, row.line)).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_line_at_fault_is_named() {
        for (text, fault) in [
            ("1\nx\n", "line 2: \"x\" is not a number"),
            ("1\n\n-1\n", "line 3: -1 is not a number of seconds from 0"),
            ("1\nNaN\n", "line 2: NaN"),
            ("2\n1\n", "line 2: 1 comes after 2"),
            ("\n", "holds no times"),
            ("time,question_id\n", "holds no times"),
            ("time,question_id\n1,abc\n", "line 2: the question id \"abc\" is not 32"),
            ("question_id,time\n,2\n,1\n", "line 3: 1 comes after 2"),
            (
                "id,scheduled\na,2026-01-01T00:00:02Z\nb,soon\n",
                "line 3: \"soon\" is not a time",
            ),
        ] {
            let problem = read_text(text).unwrap_err();
            assert!(problem.contains(fault), "{fault:?} is missing in: {problem}");
        }
    }
}
