//! From a record's bytes to a message, or to the reason why it can never be one; and back.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::message::{Answer, Identity, Question};
use crate::topic::{MAX_RECORD_BYTES, Message};

/// What a record weighs beside its key and value, in bytes.
const OVERHEAD: usize = 256;

/// Reads one message from a record's value.
///
/// # Errors
/// The reason, beginning with a word that programs may compare: `tombstone`, `empty`,
/// `too_large`, `not_utf8`, `not_json` or `schema`.
pub fn decode<M: Message>(value: Option<&[u8]>) -> Result<M, String> {
    let bytes = value.ok_or("tombstone")?;
    if bytes.is_empty() {
        return Err("empty".into());
    }
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(format!(
            "too_large: {} bytes, {MAX_RECORD_BYTES} at most are allowed",
            bytes.len()
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| format!("not_utf8: {error}"))?;
    serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => format!("schema: {}", with_path::<M>(text, &error)),
        Category::Syntax | Category::Eof | Category::Io => format!("not_json: {error}"),
    })
}

/// The error with the field that it is about, which takes another, slower reading.
///
/// A message does not know the names of the fields it shares with others: the part that holds them does.
fn with_path<M: DeserializeOwned>(text: &str, error: &serde_json::Error) -> String {
    let error = error.to_string();
    let (problem, _position) = error.rsplit_once(" at line ").unwrap_or((&error, ""));
    [
        located::<M>,
        located::<Identity>,
        located::<Question>,
        located::<Answer>,
    ]
    .iter()
    .find_map(|located| located(text, problem))
    .unwrap_or_else(|| error.clone())
}

/// The same problem with its field, if there is one when `T` is read.
fn located<T: DeserializeOwned>(text: &str, problem: &str) -> Option<String> {
    let reader = &mut serde_json::Deserializer::from_str(text);
    let at = serde_path_to_error::deserialize::<_, T>(reader).err()?;
    let is_same = at.path().iter().next().is_some() && at.inner().to_string().starts_with(problem);
    is_same.then(|| at.to_string())
}

/// The key and the value of a message's record.
///
/// # Panics
/// Never: every message is plain data, which always has a JSON form.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "plain structs of strings and numbers always serialise"
)]
pub fn encode<M: Message>(message: &M) -> (Vec<u8>, Vec<u8>) {
    (
        message.identity().question_id.as_str().as_bytes().to_vec(),
        serde_json::to_vec(message).expect("a message has a JSON form"),
    )
}

/// Whether a topic takes a record with a key and a value of so many bytes.
#[must_use]
pub fn fits(key: usize, value: usize) -> bool {
    key + value + OVERHEAD <= MAX_RECORD_BYTES
}
