use std::collections::{HashSet, VecDeque};
use std::fs;
use std::sync::{LazyLock, Mutex};

use contracts::message::Question;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::model::{Ask, Concern, ErrorKind, LanguageModel, ModelError, MostTokens, Tokens};
use crate::offline::Reference;
use crate::prompt::Prompt;

/// A model that says these things, one a request.
struct Scripted(Mutex<VecDeque<Result<Completion, ModelError>>>);

impl Scripted {
    fn saying(answers: impl IntoIterator<Item = Result<Completion, ModelError>>) -> Self {
        Self(Mutex::new(answers.into_iter().collect()))
    }
}

impl LanguageModel for Scripted {
    fn name(&self, attempt: u32) -> &str {
        if attempt == 1 { "small" } else { "large" }
    }

    async fn answer(&self, _: &Ask<'_>) -> Result<Completion, ModelError> {
        self.0.lock().unwrap().pop_front().unwrap()
    }

    fn names(&self) -> Vec<String> {
        vec![self.name(1).to_owned()]
    }

    fn most_tokens(&self, _: &Ask<'_>) -> MostTokens {
        MostTokens::default()
    }

    fn costs(&self) -> bool {
        true
    }
}

/// What identifies a request: the message, the prompt, the attempt.
type Asked = (String, String, u32);

fn asked(message_id: &str, user: &str, attempt: u32) -> Asked {
    (message_id.into(), user.into(), attempt)
}

fn prompt(user: &str) -> Prompt {
    Prompt {
        system: "Be brief.".into(),
        user: user.into(),
    }
}

async fn ask(model: &impl LanguageModel, (message_id, user, attempt): &Asked) -> Result<Completion, ModelError> {
    static QUESTION: LazyLock<Question> = LazyLock::new(|| Question {
        title: "Why?".into(),
        content: String::new(),
        best_answer: "Because.".into(),
        other_answers: vec![],
    });
    let ask = Ask {
        prompt: &prompt(user),
        message_id,
        question_id: "q",
        attempt: *attempt,
        request: 1,
        needs_room: false,
        reference: Reference::seal(&QUESTION),
    };
    model.answer(&ask).await
}

fn completion(answer: &str) -> Completion {
    Completion {
        answer: answer.into(),
        thinking: None,
        model: Some("small-1".into()),
        tokens: Tokens::default(),
        finish_reason: Some("stop".into()),
    }
}

/// Records answers, one a request, after what is there.
async fn record(path: &Path, settings: &str, answers: &[(Asked, Result<Completion, ModelError>)]) {
    let model = Scripted::saying(answers.iter().map(|(_, answer)| answer.clone()));
    let recorder = Recorder::open(model, settings, path).unwrap();
    for (asked, answer) in answers {
        assert_eq!(ask(&recorder, asked).await, *answer);
    }
}

fn said(message_id: &str, user: &str, attempt: u32, answer: &str) -> (Asked, Result<Completion, ModelError>) {
    (asked(message_id, user, attempt), Ok(completion(answer)))
}

fn folder_and_path() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers.jsonl");
    (folder, path)
}

prop_compose! {
    fn completions()(
        answer in any::<String>(),
        thinking in any::<Option<String>>(),
        model in any::<Option<String>>(),
        (input, output, estimated) in any::<(u32, u32, bool)>(),
        finish_reason in any::<Option<String>>(),
    ) -> Completion {
        Completion { answer, thinking, model, tokens: Tokens { input, output, estimated }, finish_reason }
    }
}

prop_compose! {
    fn requests()(
        message in 0..4,
        user in 0..3,
        attempt in 1..3u32,
        answer in proptest::option::weighted(0.8, completions()),
    ) -> (Asked, Result<Completion, ModelError>) {
        let answer = answer.ok_or_else(|| ModelError::new(ErrorKind::Timeout, "too slow"));
        (asked(&format!("m{message}"), &format!("u{user}"), attempt), answer)
    }
}

proptest! {
    #[test]
    fn what_was_recorded_is_played_in_any_order_and_whoever_is_new_hears_one_of_it(
        (first, second) in (prop::collection::vec(requests(), 1..10), prop::collection::vec(requests(), 0..10)),
    ) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let (_folder, path) = folder_and_path();
            record(&path, "s", &first).await;
            record(&path, "s", &second).await;
            let recorded: HashMap<_, _> =
                first.iter().chain(&second).filter_map(|(asked, answer)| Some((asked, answer.as_ref().ok()?))).collect();
            let Ok(player) = Player::open(&path) else {
                assert!(recorded.is_empty());
                return;
            };
            for _ in 0..2 {
                for (&asked, &answer) in &recorded {
                    assert_eq!(ask(&player, asked).await.as_ref(), Ok(answer));
                }
            }
            let another = Player::open(&path).unwrap();
            for ((_, user, attempt), _) in first.iter().chain(&second) {
                let stranger = asked("stranger", user, *attempt);
                let heard = ask(&player, &stranger).await;
                assert_eq!(ask(&another, &stranger).await, heard);
                let mut same = recorded.iter().filter(|((_, its_user, its), _)| (its_user, its) == (user, attempt));
                match heard {
                    Ok(heard) => assert!(same.any(|(_, answer)| **answer == heard)),
                    Err(error) => assert!(error.kind == ErrorKind::NotRecorded && same.next().is_none()),
                }
            }
        });
    }
}

#[tokio::test]
async fn a_prompt_that_was_not_recorded_is_named() {
    let (_folder, path) = folder_and_path();
    record(&path, "s", &[said("m", "Why?", 1, "Because.")]).await;
    let player = Player::open(&path).unwrap();
    for unknown in [asked("m", "How?", 1), asked("m", "Why?", 2)] {
        let error = ask(&player, &unknown).await.unwrap_err();
        assert_eq!(error.kind.as_str(), "not_recorded");
        assert_eq!(error.kind.concern(), Concern::Question);
        assert!(error.detail.contains(&prompt(&unknown.1).hash()), "{error}");
    }
}

#[tokio::test]
async fn another_run_hears_every_occurrence() {
    let (_folder, path) = folder_and_path();
    let answers = ["a", "b", "c"];
    record(&path, "s", &answers.map(|answer| said(answer, "Why?", 1, answer))).await;
    let player = Player::open(&path).unwrap();
    let mut heard = HashSet::new();
    for number in 0..50 {
        heard.insert(
            ask(&player, &asked(&format!("m{number}"), "Why?", 1))
                .await
                .unwrap()
                .answer,
        );
    }
    assert_eq!(heard, HashSet::from(answers.map(str::to_owned)));
}

#[tokio::test]
async fn a_replay_says_which_settings_and_models_answered() {
    let (_folder, path) = folder_and_path();
    record(
        &path,
        "s",
        &[said("m", "Why?", 1, "No."), said("m", "Again.", 3, "Yes.")],
    )
    .await;
    let player = Player::open(&path).unwrap();
    assert_eq!(player.settings(), "s");
    assert_eq!(
        [1, 2, 3, 4].map(|attempt| player.name(attempt)),
        ["small", "small", "large", "large"]
    );
}

#[tokio::test]
async fn wherever_a_crash_cuts_the_file_only_a_torn_line_is_lost() {
    let (_folder, path) = folder_and_path();
    let answers = ["m1", "m2", "m3"].map(|message| said(message, message, 1, "¡Sí!"));
    record(&path, "s", &answers).await;
    let whole = fs::read(&path).unwrap();
    let ends: Vec<_> = (0..whole.len()).filter(|&at| whole[at] == b'\n').collect();
    for cut in 0..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        record(&path, "s", &[said("new", "new", 1, "No.")]).await;
        let player = Player::open(&path).unwrap();
        for (end, (asked, answer)) in ends.iter().zip(&answers) {
            assert_eq!(
                ask(&player, asked).await.ok(),
                answer.clone().ok().filter(|_| cut >= *end),
                "{cut}"
            );
        }
        assert!(ask(&player, &asked("new", "new", 1)).await.is_ok());
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_cassette_is_said_with_its_file_and_line() {
    let (folder, path) = folder_and_path();
    assert!(Player::open(&path).unwrap_err().contains("answers.jsonl: "));
    record(&path, "s", &[said("m", "Why?", 1, "Because.")]).await;
    let text = fs::read_to_string(&path).unwrap();
    for (second_line, problem) in [
        ("{}\n", "not a recorded answer: missing field"),
        ("nonsense\n", "not a recorded answer: "),
        (
            &text.replace(r#""settings":"s""#, r#""settings":"t""#),
            "recorded under the settings t,",
        ),
    ] {
        fs::write(&path, format!("{text}{second_line}{text}")).unwrap();
        let said = Player::open(&path).unwrap_err();
        assert!(said.contains("answers.jsonl:2: ") && said.contains(problem), "{said}");
    }
    let empty = folder.path().join("empty.jsonl");
    fs::write(&empty, "\n").unwrap();
    assert!(Player::open(&empty).unwrap_err().contains("no answer is recorded"));
}

#[tokio::test]
async fn a_cassette_has_one_writer_and_one_kind_of_settings() {
    let (_folder, path) = folder_and_path();
    record(&path, "s", &[said("m", "Why?", 1, "Because.")]).await;
    let open = |settings| Recorder::open(Scripted::saying([]), settings, &path).map(drop);
    assert!(
        open("t")
            .unwrap_err()
            .contains("answers.jsonl:1: recorded under the settings s")
    );
    let _writer = Recorder::open(Scripted::saying([]), "s", &path).unwrap();
    assert!(open("s").unwrap_err().contains("another process records"));
}
