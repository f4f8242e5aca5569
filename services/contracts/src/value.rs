//! Values that messages are made of and that check themselves when they are read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// An identifier: any non-empty text of up to [`Id::MAX_BYTES`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(Box<str>);

impl Id {
    /// The longest identifier that is accepted, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 128;

    /// A new identifier that no other equals (UUIDv7, so newer ones sort later).
    #[must_use]
    pub fn random() -> Self {
        Self::from(uuid::Uuid::now_v7())
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<uuid::Uuid> for Id {
    fn from(uuid: uuid::Uuid) -> Self {
        Self(uuid.to_string().into())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0.into()
    }
}

impl TryFrom<String> for Id {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        match text.len() {
            1..=Self::MAX_BYTES => Ok(Self(text.into())),
            0 => Err(InvalidValue("an id must not be empty".into())),
            n => Err(InvalidValue(format!(
                "an id of {n} bytes, {} at most are allowed",
                Self::MAX_BYTES
            ))),
        }
    }
}

impl JsonSchema for Id {
    fn schema_name() -> Cow<'static, str> {
        "Id".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": Self::MAX_BYTES })
    }
}

/// The probability that a person would accept an answer: 0 for never, 1 for always.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Score(f64);

impl Score {
    /// The score as a number in [0, 1].
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// The score in whole millionths: sums of these are exact.
    #[must_use]
    pub fn millionths(self) -> i64 {
        (self.0 * 1e6).round() as i64
    }
}

impl From<Score> for f64 {
    fn from(score: Score) -> Self {
        score.0
    }
}

impl TryFrom<f64> for Score {
    type Error = InvalidValue;

    fn try_from(value: f64) -> Result<Self, InvalidValue> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(InvalidValue(format!(
                "{value} is not a score, which lies between 0 and 1"
            )))
        }
    }
}

impl std::str::FromStr for Score {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let value: f64 = text
            .parse()
            .map_err(|_| InvalidValue(format!("{text:?} is not a number between 0 and 1")))?;
        Self::try_from(value)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl JsonSchema for Score {
    fn schema_name() -> Cow<'static, str> {
        "Score".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

/// The largest whole number that every reader of JSON takes exactly; databases take it too.
pub const MAX_WHOLE: u64 = 1 << 53;

/// Reads a whole number up to [`MAX_WHOLE`].
pub(crate) fn whole<'de, D: Deserializer<'de>>(number: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(number)?;
    if number <= MAX_WHOLE {
        Ok(number)
    } else {
        Err(D::Error::custom(format!("{number} is larger than {MAX_WHOLE}")))
    }
}

/// What a name of a number looks like: it becomes the name of a field in MongoDB, which does not take any.
pub(crate) const NAME_PATTERN: &str = "^[a-z0-9_]{1,64}$";

/// Reads numbers by name, or null.
pub(crate) fn named_numbers<'de, D: Deserializer<'de>>(numbers: D) -> Result<Option<BTreeMap<String, f64>>, D::Error> {
    let is_name = |name: &String| {
        (1..=64).contains(&name.len()) && name.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    let numbers: Option<BTreeMap<String, f64>> = Option::deserialize(numbers)?;
    match numbers.iter().flat_map(BTreeMap::keys).find(|name| !is_name(name)) {
        None => Ok(numbers),
        Some(name) => Err(D::Error::custom(format!(
            "{name:?} is not a name, which looks like {NAME_PATTERN}"
        ))),
    }
}

/// The time, in the whole milliseconds that messages carry.
#[must_use]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// Why a value was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidValue(String);
