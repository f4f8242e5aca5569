//! Reads cases as JSON lines, writes the signals beside each reference as JSON lines: for a look from the shell.

use std::io::{BufRead, Write};

use judge::{Case, Scorer};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Line {
    question: String,
    references: Vec<String>,
    answer: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args()
        .nth(1)
        .ok_or("usage: signals ARTEFACT|words|seal < lines.jsonl")?;
    if path == "seal" {
        println!("{}", judge::seal(serde_json::from_reader(std::io::stdin())?).0);
        return Ok(());
    }
    if path == "words" {
        let mut output = std::io::BufWriter::new(std::io::stdout());
        for line in std::io::stdin().lock().lines() {
            let text: String = serde_json::from_str(&line?)?;
            let words: Vec<_> = judge::words(&text).into_iter().map(|(stem, _)| stem).collect();
            serde_json::to_writer(&mut output, &words)?;
            output.write_all(b"\n")?;
        }
        return Ok(());
    }
    let scorer = Scorer::from_json(&std::fs::read_to_string(path)?)?;
    let mut output = std::io::BufWriter::new(std::io::stdout());
    for line in std::io::stdin().lock().lines() {
        let line: Line = serde_json::from_str(&line?)?;
        let references: Vec<&str> = line.references.iter().map(String::as_str).collect();
        let case = Case {
            question: &line.question,
            references: &references,
            answer: &line.answer,
        };
        let values = |signals: judge::Signals| signals.iter().map(|(_, value)| value).collect::<Vec<_>>();
        let signals: Vec<_> = scorer
            .signals(&case)
            .into_iter()
            .map(|(all, words)| json!([words, values(all)]))
            .collect();
        serde_json::to_writer(&mut output, &signals)?;
        output.write_all(b"\n")?;
    }
    Ok(())
}
