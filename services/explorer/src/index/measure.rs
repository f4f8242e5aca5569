//! How fast the index answers with a million outcomes, and what one more costs: `cargo test --release million --
//! --ignored --nocapture`. Times are those of the processor, as other work on the machine would only blur them.

use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::time::Duration;

use messaging::input::{Input as _, Origin, Outcome, Received};
use messaging::result_document::ResultDocument;
use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

use super::query::{Place, Query};
use super::row::{Row, answer_id, key};
use super::search;
use super::tests::row;
use super::writer::Learnt;
use super::{FILE, Index, Writer, read_only};

const OUTCOMES: u64 = 1_000_000;
const BATCH: u64 = 2000;

/// Numbers that look like random ones.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// Words as a language has them: the n-th one is about n times as rare as the first.
    fn text(&mut self, words: u64) -> String {
        let mut text = String::new();
        for _ in 0..words {
            let bits = self.below(16);
            let word = self.below(1 << bits) + (1 << bits) - 1;
            let _ = write!(text, "w{word:x}ord ");
        }
        text
    }

    fn outcome(&mut self, number: u64) -> Row {
        let (id, after) = (format!("{:016x}-{number}", self.below(u64::MAX >> 1)), number as i64);
        let question = self.below(OUTCOMES / 2);
        let verdict = ["accepted", "accepted", "accepted", "exhausted", "error"][self.below(5) as usize];
        let score = (verdict != "error").then(|| self.below(1_000_000) as f64 / 1e6);
        let run = if number < OUTCOMES / 5 {
            number / (OUTCOMES / 50)
        } else {
            10
        };
        Row {
            key: key(super::tests::START + after, &id),
            question_id: format!("{question:016x}"),
            answer_id: score.map(|_| answer_id("q", &question.to_string())),
            run: Some(format!("run-{run}")),
            subject: Some(format!("Subject {}", self.below(10))),
            source: score.map(|_| ["llm", "cache", "mongodb", "coalesced"][self.below(4) as usize].to_owned()),
            error: score.is_none().then(|| {
                ["timeout", "refused", "rare"][(self.below(1000) as usize).saturating_sub(990) / 4].to_owned()
            }),
            attempts: 1 + self.below(3) as u32,
            unsure: self.below(10) == 0,
            latency: Some(self.below(3000) as i64),
            cost: (self.below(3) > 0).then(|| self.below(2_000_000) as i64),
            verdict: verdict.to_owned(),
            score,
            question: self.text(6),
            reference: self.text(12),
            answer: self.text(12),
            ..row(&id, after)
        }
    }
}

/// How long this thread has had a processor.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

/// Adds outcomes, and gives how many microseconds each took.
fn fill(writer: &mut Writer, dice: &mut Dice, numbers: Range<u64>, mut change: impl FnMut(Row) -> Row) -> f64 {
    let (mut spent, count) = (Duration::ZERO, numbers.end - numbers.start);
    for start in numbers.step_by(BATCH as usize) {
        let rows = (start..start + BATCH)
            .map(|number| dice.outcome(number))
            .map(&mut change)
            .collect();
        let began = cpu_time();
        writer.add(rows, Learnt::Topic).unwrap();
        spent += cpu_time() - began;
    }
    spent.as_secs_f64() * 1e6 / count as f64
}

/// How many microseconds it takes to make a row of a record.
fn reading() -> f64 {
    let example = include_str!("../../../../contracts/examples/ValidatedResponse/valid/every_field.json");
    let mut example: serde_json::Value = serde_json::from_str(example).unwrap();
    for text in ["content", "best_answer", "llm_answer"] {
        example[text] = "some words and more ".repeat(20).into();
    }
    let record = example.to_string();
    let began = cpu_time();
    for _ in 0..10_000 {
        let input = Outcome::decode("validated_responses", Some(record.as_bytes())).unwrap();
        let origin = Origin {
            topic: String::new(),
            partition: 0,
            offset: 0,
        };
        std::hint::black_box(Row::of(ResultDocument::new(Received { input, origin }, "")));
    }
    (cpu_time() - began).as_secs_f64() * 1e6 / 1e4
}

#[test]
#[ignore = "takes minutes"]
fn any_list_of_a_million_is_read_within_100_ms() {
    let folder = TempDir::new().unwrap();
    let (_, mut writer) = Index::open(folder.path()).unwrap();
    let mut dice = Dice(7);
    let spent = fill(&mut writer, &mut dice, 0..OUTCOMES, |outcome| outcome);
    println!("{:.1} µs an outcome of 30 words", spent);
    let size = |name: &str| fs::metadata(folder.path().join(name)).map_or(0, |file| file.len() / 1_000_000);
    println!("{} MB, log {} MB", size(FILE), size(&format!("{FILE}-wal")));
    let index = read_only(&folder.path().join(FILE)).unwrap();
    let filters = [
        "",
        "run=",
        "run=run-3",
        "run=&verdict=error",
        "run=&error=rare",
        "run=&verdict=error&error=rare&topic=Subject+3&attempts=2&source=cache",
        "run=&attempts=2..&unsure=yes&topic=Subject+1",
        "run=&score_from=0.2&score_to=0.9",
        "run=&score_from=0.5&score_to=0.500001",
        "run=&from=2026-02-02T02:45:00Z&to=2026-02-02T02:46:00Z",
        "words=w0ord",
        "run=&words=w0ord",
        "run=&words=w0ord+w1ord+w2ord",
        "run=&words=w20ord",
        "run=&words=wabcord",
        "run=&words=w20ord&verdict=error&topic=Subject+3",
        "run=run-3&words=w0ord&score_to=0.3",
    ];
    let orders = [
        "",
        "&order=asc",
        "&sort=score",
        "&sort=score&order=asc",
        "&sort=score&distinct=yes",
        "&sort=latency",
        "&sort=cost",
        "&sort=attempts&order=asc",
    ];
    let mut slowest = 0.0_f64;
    for filter in filters {
        let mut line = format!("{filter:<70}");
        for order in orders {
            let query = Query::parse(&format!("{filter}{order}"), &[]).unwrap();
            for place in [Place::First, Place::Last] {
                let began = cpu_time();
                let page = search::page(&index, &query.at(place)).unwrap();
                let spent = (cpu_time() - began).as_secs_f64() * 1e3;
                slowest = slowest.max(spent);
                let _ = write!(line, " {spent:4.0}");
                if order.is_empty() && place == Place::First {
                    let _ = write!(line, " ({})", page.counts.matching);
                }
            }
        }
        println!("{line} ms");
    }
    drop(index);
    let sample = fs::read_to_string("../../data/sample_questions.csv").unwrap();
    let mut lines = sample.lines().cycle();
    let spent = fill(&mut writer, &mut dice, OUTCOMES..OUTCOMES + 40_000, |outcome| Row {
        question: lines.next().unwrap_or_default().chars().take(80).collect(),
        reference: lines.next().unwrap_or_default().to_owned(),
        answer: lines.next().unwrap_or_default().to_owned(),
        ..outcome
    });
    println!("{spent:.1} µs an outcome of real texts");
    println!("{:.1} µs to read one from a topic", reading());
    assert!(slowest < 100.0, "{slowest} ms");
}
