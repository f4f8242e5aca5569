//! A record's way: read it, score it, write what follows. An error is the reason why it can never be handled; its
//! first word is one of those of [`contracts::record::decode`], or `internal`.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use contracts::message::{LlmResponse, Question};
use contracts::record::{decode, encode, fits};
use contracts::topic::{MAX_ANSWER_BYTES, MAX_RECORD_BYTES, Message};
use contracts::value::{Score, now};
use judge::{ArtefactError, Case, Scorer};

use crate::attempts::{Action, Judged, Rules, State, decide};
use crate::verdict::{Asked, regeneration, take_apart, validated};

/// A record to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
}

/// What becomes of an answer at first sight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    /// The first attempt passed: the verdict.
    Accepted(Record),
    /// It takes the memory of the request to say what follows.
    Failed {
        /// The request.
        message_id: String,
        /// What the scorer says, so that nobody need ask it again.
        judged: Vec<u8>,
    },
}

/// What becomes of an answer, given the memory of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// What to do.
    pub action: Action,
    /// What to remember from now on, if anything changed.
    pub state: Option<String>,
    /// The verdict, or the request to ask again.
    pub record: Option<Record>,
}

impl Followed {
    fn nothing() -> Self {
        Self {
            action: Action::Drop,
            state: None,
            record: None,
        }
    }
}

/// Judges records.
pub struct Judge {
    scorer: Arc<Scorer>,
    rules: Rules,
}

impl Judge {
    /// A judge with these rules.
    #[must_use]
    pub fn new(scorer: Arc<Scorer>, threshold: Score, max_attempts: u32) -> Self {
        let rules = Rules {
            threshold,
            max_attempts,
            scorer: scorer.hash().to_owned(),
        };
        Self { scorer, rules }
    }

    /// Reads and scores an answer; one that passes at once needs no memory of the request.
    ///
    /// # Errors
    /// Why the record can never be handled.
    pub fn first(&self, value: Option<&[u8]>) -> Result<First, String> {
        let response = read(value)?;
        let judged = judged(&self.scorer, &response.question, &response.answer.llm_answer);
        let (asked, attempt, _) = take_apart(response, judged);
        if attempt.attempts > 1 || !attempt.passes(self.rules.threshold) {
            let message_id = asked.identity.message_id.into();
            let judged = serde_json::to_vec(&attempt.judged).map_err(internal)?;
            return Ok(First::Failed { message_id, judged });
        }
        let state = State::default().with_attempt(attempt);
        Ok(First::Accepted(self.verdict(asked, state)?))
    }

    /// Follows the attempts of a request: `judged` is what [`Self::first`] gave for this value.
    ///
    /// # Errors
    /// Why the record can never be handled.
    pub fn follow(&self, state: Option<&str>, judged: &[u8], value: Option<&[u8]>) -> Result<Followed, String> {
        let before = State::from_json(state)?;
        let response = read(value)?;
        if before.knows(response.attempts) {
            return Ok(Followed::nothing());
        }
        let (asked, attempt, previous) = take_apart(response, serde_json::from_slice(judged).map_err(internal)?);
        let judge = |answer: &str| self::judged(&self.scorer, &asked.question, answer);
        let (state, action) = decide(before, attempt, previous, &self.rules, judge);
        Ok(match action {
            Action::Accept | Action::Exhaust => Followed {
                action,
                state: Some(State::tombstone().to_json()?),
                record: Some(self.verdict(asked, state)?),
            },
            Action::Regenerate => Followed {
                action,
                state: Some(state.to_json()?),
                record: Some(write(&regeneration(asked, &state))?),
            },
            Action::Drop => Followed {
                action,
                state: Some(state.to_json()?),
                record: None,
            },
        })
    }

    fn verdict(&self, asked: Asked, state: State) -> Result<Record, String> {
        let verdict = validated(asked, state, self.rules.threshold, now()).ok_or("internal: no attempt to judge")?;
        write(&verdict)
    }
}

/// The scorer of an artefact; the one that is loaded already, if there is one: a process has many operators.
///
/// # Errors
/// The artefact is damaged or of another format.
pub fn scorer_of(artefact: &str) -> Result<Arc<Scorer>, ArtefactError> {
    static LOADED: Mutex<Vec<Weak<Scorer>>> = Mutex::new(Vec::new());
    let scorer = Scorer::from_json(artefact)?;
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    loaded.retain(|other| other.strong_count() > 0);
    let mut others = loaded.iter().filter_map(Weak::upgrade);
    if let Some(same) = others.find(|other| other.hash() == scorer.hash()) {
        return Ok(same);
    }
    let scorer = Arc::new(scorer);
    loaded.push(Arc::downgrade(&scorer));
    Ok(scorer)
}

/// Reads an answer from a record's value.
///
/// # Errors
/// Why it can never be handled.
pub fn read(value: Option<&[u8]>) -> Result<LlmResponse, String> {
    let response: LlmResponse = decode(value)?;
    if response.attempts == 0 {
        return Err("schema: attempts: 0, they are counted from 1".into());
    }
    response.question.check_size()?;
    let bytes = response.answer.llm_answer.len();
    if bytes > MAX_ANSWER_BYTES {
        return Err(format!(
            "too_large: llm_answer has {bytes} bytes, {MAX_ANSWER_BYTES} at most are allowed"
        ));
    }
    Ok(response)
}

fn write<M: Message>(message: &M) -> Result<Record, String> {
    let (key, value) = encode(message);
    if !fits(key.len(), value.len()) {
        return Err(format!(
            "too_large: what would follow has {} bytes, {MAX_RECORD_BYTES} at most are allowed",
            key.len() + value.len()
        ));
    }
    Ok(Record { key, value })
}

/// What the scorer says of an answer to a question.
#[expect(clippy::expect_used, reason = "the scorer promises it for any texts, by test")]
fn judged(scorer: &Scorer, question: &Question, answer: &str) -> Judged {
    let asked = question.text();
    let references: Vec<_> = question.references().collect();
    let judgement = scorer.judge(&Case {
        question: &asked,
        references: &references,
        answer,
    });
    Judged {
        score: Score::try_from(judgement.score).expect("a score lies between 0 and 1"),
        scorer: Some(scorer.hash().to_owned()),
        signals: judgement.signals.rounded(),
        unsure: judgement.unsure,
    }
}

fn internal(error: serde_json::Error) -> String {
    format!("internal: {error}")
}
