//! The simulated model before the judge that is shipped: its answers are as good, or as bad, as they are meant to be.

use std::path::Path;
use std::time::Duration;

use crate::config::OfflineConfig;
use crate::model::{Ask, Completion, LanguageModel as _, ModelError};
use crate::offline::{MODEL, Offline, Reference, TRAP};
use crate::prompt::Prompt;
use contracts::message::Question;
use judge::{Case, Scorer};
use proptest::prelude::*;
use serde_json::{Value, json};

const THRESHOLD: f64 = 0.65;
/// Scores in between leave doubt what the verdict would be with other frequencies.
const CLEAR: std::ops::Range<f64> = 0.6..0.7;

fn settings() -> OfflineConfig {
    OfflineConfig {
        offline_seed: 1,
        offline_latency: Duration::ZERO,
        offline_error_rate: 0.0,
        offline_mix: "70/20/10".parse().unwrap(),
        offline_traps: 0.0,
    }
}

fn question(title: &str, best_answer: &str) -> Question {
    Question {
        title: title.into(),
        content: String::new(),
        best_answer: best_answer.into(),
        other_answers: vec![],
    }
}

async fn ask(
    model: &Offline,
    question_id: &str,
    attempt: u32,
    request: u32,
    question: &Question,
) -> Result<Completion, ModelError> {
    let reference = Reference::seal(question);
    model
        .answer(&Ask {
            prompt: &Prompt {
                system: String::new(),
                user: "Why?".into(),
            },
            message_id: "m",
            question_id,
            attempt,
            request,
            needs_room: false,
            reference,
        })
        .await
}

async fn answer(model: &Offline, question_id: &str, attempt: u32, question: &Question) -> String {
    ask(model, question_id, attempt, 1, question).await.unwrap().answer
}

fn shipped(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../flink_job").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The shipped model, with the frequencies of the shipped background alone.
fn scorer() -> Scorer {
    let background = shipped("background.json");
    let strength = background["strength"].as_f64().unwrap();
    let idf = |share: f64| ((1.0 + strength) / (1.0 + strength * share)).ln() + 1.0;
    let shares = background["shares"].as_object().unwrap();
    let known: serde_json::Map<_, _> = shares
        .iter()
        .map(|(stem, share)| (stem.clone(), idf(share.as_f64().unwrap()).into()))
        .collect();
    let artefact = json!({
        "format": 2, "documents": 0, "idf": known, "unknown_idf": idf(0.0), "model": shipped("coefficients.json"),
    });
    Scorer::from_json(&judge::seal(artefact).0).unwrap()
}

fn score(scorer: &Scorer, question: &Question, answer: &str) -> f64 {
    let references: Vec<_> = question.references().collect();
    scorer
        .judge(&Case {
            question: &question.title,
            references: &references,
            answer,
        })
        .score
}

/// The sample dataset: references of 40 to 120 words.
fn long() -> Vec<Question> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/sample_questions.csv");
    let mut rows = csv::ReaderBuilder::new().has_headers(false).from_path(path).unwrap();
    let rows = rows.records().map(Result::unwrap);
    rows.map(|row| question(&row[1], &row[3].replace("\\n", "\n")))
        .collect()
}

/// Names, dates, numbers, a few words.
fn short() -> Vec<Question> {
    [
        ("Who painted the ceiling of the Sistine Chapel?", "Michelangelo"),
        ("In which year did the Berlin Wall fall?", "1989"),
        ("How high is Mount Everest?", "8,849 metres"),
        ("When is the summer solstice in the northern hemisphere?", "21 June"),
        ("What is the capital of Australia?", "Canberra"),
        ("Which gas do plants take in?", "Carbon dioxide."),
        ("Who wrote One Hundred Years of Solitude?", "Gabriel García Márquez"),
        (
            "Why is the sky blue?",
            "Because air scatters blue light more than red light.",
        ),
    ]
    .map(|(title, answer)| question(title, answer))
    .to_vec()
}

fn spanish() -> Vec<Question> {
    [
        (
            "¿Por qué flota el hielo?",
            "El hielo flota porque el agua se dilata al congelarse: sus moléculas forman una red con más espacio entre \
             ellas. La misma cantidad de agua ocupa entonces un volumen mayor, y su densidad es menor que la del agua \
             líquida. Gracias a eso los lagos se congelan desde arriba y los peces sobreviven debajo.",
        ),
        (
            "¿Cómo se hace una buena tortilla?",
            "Hay que freír las patatas despacio, en aceite abundante y no muy caliente, hasta que estén blandas. Luego \
             se escurren y se mezclan con los huevos batidos y la sal. Conviene dejar reposar la mezcla diez minutos \
             antes de cuajarla, y darle la vuelta con un plato cuando los bordes estén firmes.",
        ),
    ]
    .map(|(title, answer)| question(title, answer))
    .to_vec()
}

/// How many first pass at attempts 1, 2, 3, never, asked `times` each; and how many scores are no clear verdict.
async fn first_passes(questions: &[Question], times: usize) -> ([usize; 4], usize) {
    let (model, scorer) = (Offline::new(&settings()), scorer());
    let (mut passes, mut unclear) = ([0; 4], 0);
    for (number, question) in questions.iter().enumerate() {
        for time in 0..times {
            let mut first = 3;
            for attempt in (1..=3).rev() {
                let answer = answer(&model, &format!("{number}/{time}"), attempt, question).await;
                let score = score(&scorer, question, &answer);
                unclear += usize::from(CLEAR.contains(&score));
                if score >= THRESHOLD {
                    first = attempt as usize - 1;
                }
            }
            passes[first] += 1;
        }
    }
    (passes, unclear)
}

#[tokio::test]
async fn seventy_of_a_hundred_pass_at_once_twenty_later_and_ten_never() {
    for (questions, times) in [(long(), 12), (short(), 500), (spanish(), 2000)] {
        let (passes, unclear) = first_passes(&questions, times).await;
        let asked: usize = passes.iter().sum();
        for (counted, expected) in passes.into_iter().zip([0.7, 0.1, 0.1, 0.1]) {
            let share = counted as f64 / asked as f64;
            assert!((share - expected).abs() < 0.025, "{passes:?}");
        }
        assert!(
            unclear * 50 < asked * 3,
            "{unclear} of {} scores are no clear verdict",
            asked * 3
        );
    }
}

#[tokio::test]
async fn a_trap_is_named_and_differs_from_its_reference() {
    let model = Offline::new(&OfflineConfig {
        offline_traps: 0.3,
        ..settings()
    });
    let mut traps = 0;
    let questions = [long(), short(), spanish()].concat();
    for (number, question) in questions.iter().enumerate() {
        let completion = ask(&model, &number.to_string(), 1, 1, question).await.unwrap();
        if completion.model.as_deref() == Some(TRAP) {
            traps += 1;
            assert_ne!(completion.answer, question.best_answer);
        } else {
            assert_eq!(completion.model.as_deref(), Some(MODEL));
        }
    }
    let share = f64::from(traps) / questions.len() as f64;
    assert!((share - 0.3).abs() < 0.08, "{share}");
}

#[tokio::test]
async fn any_of_several_references_may_be_the_one_that_is_answered() {
    let question = Question {
        other_answers: vec!["Byron".into(), "Shelley".into()],
        ..question("Who wrote it?", "Keats")
    };
    let model = Offline::new(&OfflineConfig {
        offline_mix: "100/0/0".parse().unwrap(),
        ..settings()
    });
    let mut answered = [0; 3];
    for number in 0..300 {
        let answer = answer(&model, &number.to_string(), 1, &question).await;
        let of = question.references().position(|reference| answer.contains(reference));
        answered[of.unwrap()] += 1;
    }
    assert!(answered.iter().all(|&count| count > 60), "{answered:?}");
}

#[tokio::test]
async fn another_seed_gives_other_answers_and_the_same_seed_the_same() {
    let question = &long()[0];
    let first = answer(&Offline::new(&settings()), "q", 1, question).await;
    let again = answer(&Offline::new(&settings()), "q", 1, question).await;
    let other = answer(
        &Offline::new(&OfflineConfig {
            offline_seed: 2,
            ..settings()
        }),
        "q",
        1,
        question,
    )
    .await;
    assert_eq!(first, again);
    assert_ne!(first, other);
}

#[tokio::test]
async fn failures_come_at_their_rate_and_are_drawn_anew_for_every_request() {
    let model = Offline::new(&OfflineConfig {
        offline_error_rate: 0.3,
        ..settings()
    });
    let question = question("Why?", "");
    let mut failures = 0;
    for number in 0..500 {
        for request in 1..=4 {
            let failed = ask(&model, &number.to_string(), 1, request, &question).await.is_err();
            let again = ask(&model, &number.to_string(), 1, request, &question).await.is_err();
            assert_eq!(failed, again);
            failures += usize::from(failed);
        }
    }
    assert!(failures.abs_diff(600) < 80, "{failures} of 2000");
}

#[tokio::test(start_paused = true)]
async fn a_call_takes_the_set_time_on_average() {
    let model = Offline::new(&OfflineConfig {
        offline_latency: Duration::from_millis(200),
        ..settings()
    });
    let question = question("Why?", "reference");
    let started = tokio::time::Instant::now();
    for number in 0..1_000 {
        answer(&model, &number.to_string(), 1, &question).await;
    }
    let mean = started.elapsed() / 1_000;
    assert!((190..210).contains(&mean.as_millis()), "{mean:?}");
}

proptest! {
    #[test]
    fn any_reference_gets_an_answer_with_text_in_it(
        reference in any::<String>(), id in any::<String>(), attempt: u32, traps in 0..2_u8,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let model = Offline::new(&OfflineConfig { offline_traps: traps.into(), ..settings() });
        let answer = runtime.block_on(answer(&model, &id, attempt, &question("Why?", &reference)));
        prop_assert!(!answer.trim().is_empty());
    }
}
