//! Recorded times of arrival, to be followed again.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;

/// Reads the times of a recorded run, in seconds from its start: one a line and rising, or the
/// column `scheduled` of an earlier `events.csv`.
///
/// # Errors
/// A file that cannot be read, or the line that is at fault.
pub fn read(file: &Path) -> anyhow::Result<Vec<f64>> {
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let scheduled = text
        .lines()
        .next()
        .and_then(|header| header.split(',').position(|name| name == "scheduled"));
    let times = match scheduled {
        Some(column) => from_events(&text, column)?,
        None => from_lines(&text)?,
    };
    ensure!(!times.is_empty(), "{} holds no times", file.display());
    Ok(times)
}

fn from_lines(text: &str) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    let mut last = 0.0;
    for (line, time) in (1..)
        .zip(text.lines().map(str::trim))
        .filter(|(_, time)| !time.is_empty())
    {
        let time: f64 = time
            .parse()
            .with_context(|| format!("line {line}: {time:?} is not a number of seconds"))?;
        ensure!(
            time.is_finite() && time >= 0.0,
            "line {line}: {time} is not a number of seconds from 0"
        );
        ensure!(
            time >= last,
            "line {line}: {time} comes after {last}; times must not fall"
        );
        times.push(time);
        last = time;
    }
    Ok(times)
}

fn from_events(text: &str, column: usize) -> anyhow::Result<Vec<f64>> {
    let mut scheduled = Vec::new();
    for record in csv::Reader::from_reader(text.as_bytes()).into_records() {
        let record = record?;
        let line = record.position().map_or(0, csv::Position::line);
        let time = record.get(column).unwrap_or_default();
        let time: Timestamp = time
            .parse()
            .with_context(|| format!("line {line}: {time:?} is not a time"))?;
        scheduled.push(time);
    }
    // They are there in the order of their acknowledgement.
    scheduled.sort_unstable();
    let Some(&start) = scheduled.first() else {
        return Ok(Vec::new());
    };
    Ok(scheduled
        .into_iter()
        .map(|time| time.duration_since(start).as_secs_f64())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<f64>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        read(file.path()).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn times_are_read_one_a_line() {
        assert_eq!(read_text("0.5\n\n 0.5\n2\n").unwrap(), [0.5, 0.5, 2.0]);
    }

    #[test]
    fn an_event_log_gives_the_times_since_its_first_question() {
        let log = "message_id,scheduled,partition\nb,2026-01-01T00:00:02.5Z,0\na,2026-01-01T00:00:01Z,1\n";
        assert_eq!(read_text(log).unwrap(), [0.0, 1.5]);
    }

    #[test]
    fn a_line_at_fault_is_named() {
        for (text, fault) in [
            ("1\nx\n", "line 2: \"x\" is not a number"),
            ("1\n\n-1\n", "line 3: -1 is not a number of seconds from 0"),
            ("1\nNaN\n", "line 2: NaN"),
            ("2\n1\n", "line 2: 1 comes after 2"),
            ("\n", "holds no times"),
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
