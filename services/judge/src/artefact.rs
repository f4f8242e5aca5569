//! The artefact: everything fitted, as one JSON text that names itself by a hash of its content.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The only format that is read and written.
pub const FORMAT: u64 = 2;
const HASH_DIGITS: usize = 16;

/// Why a text is no artefact.
#[derive(Debug, thiserror::Error)]
pub enum ArtefactError {
    /// It is of another time.
    #[error("the artefact has format {found}, only {FORMAT} is known")]
    Format {
        /// What it says.
        found: String,
    },
    /// Its content is not what it was.
    #[error("the artefact is damaged: the hash of its content is {computed}, it says {says}")]
    Damaged {
        /// The hash of what is there.
        computed: String,
        /// The hash that is written in it.
        says: String,
    },
    /// It is no JSON, or lacks something.
    #[error("the artefact cannot be read: {0}")]
    Malformed(String),
}

/// The canonical form of an artefact, with its hash in it, and the hash.
///
/// Canonical is JSON without spaces, with keys in the order of their code points. The hash is the first 16 hexadecimal
/// digits of the SHA-256 of that form without the key `hash`.
pub fn seal(artefact: Value) -> (String, String) {
    let mut fields = match artefact {
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, Canonical(value))).collect(),
        _ => BTreeMap::new(),
    };
    fields.remove("hash");
    let digest = Sha256::digest(write(&fields));
    let hash: String = digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .take(HASH_DIGITS)
        .map(hexadecimal)
        .collect();
    fields.insert("hash".into(), Canonical(Value::String(hash.clone())));
    (write(&fields), hash)
}

/// Reads an artefact and checks that it is whole.
pub(crate) fn open(text: &str) -> Result<(Value, String), ArtefactError> {
    let value: Value = serde_json::from_str(text).map_err(|error| ArtefactError::Malformed(error.to_string()))?;
    if value.get("format").and_then(Value::as_u64) != Some(FORMAT) {
        return Err(ArtefactError::Format {
            found: value.get("format").unwrap_or(&Value::Null).to_string(),
        });
    }
    let says = value.get("hash").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (_, computed) = seal(value.clone());
    if computed == says {
        Ok((value, computed))
    } else {
        Err(ArtefactError::Damaged { computed, says })
    }
}

fn hexadecimal(digit: u8) -> char {
    char::from_digit(digit.into(), 16).unwrap_or_default()
}

fn write(fields: &BTreeMap<String, Canonical>) -> String {
    // Maps with text keys of finite numbers, texts and lists: there is nothing that JSON cannot hold.
    serde_json::to_string(fields).unwrap_or_default()
}

/// A value whose keys are written in order, whatever order the JSON library keeps.
struct Canonical(Value);

impl serde::Serialize for Canonical {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Value::Object(fields) => {
                let sorted: BTreeMap<_, _> = fields.iter().map(|(key, value)| (key, Self(value.clone()))).collect();
                serializer.collect_map(sorted)
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(|item| Self(item.clone()))),
            value => value.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equal_content_has_one_hash_in_any_order() {
        let (text, hash) = seal(json!({"format": 2, "b": {"y": 0.1, "x": [1, 2.5e-300]}, "a": 1}));
        let (again, same) = seal(json!({"a": 1, "b": {"x": [1, 2.5e-300], "y": 0.1}, "format": 2, "hash": "old"}));
        assert_eq!((&text, &hash), (&again, &same));
        assert_eq!(open(&text).unwrap().1, hash);
        assert_eq!(hash.len(), HASH_DIGITS);
    }

    #[test]
    fn another_format_and_a_damaged_artefact_are_refused_by_name() {
        let error = open(r#"{"format":1,"hash":"x"}"#).unwrap_err().to_string();
        assert_eq!(error, "the artefact has format 1, only 2 is known");
        let (text, hash) = seal(json!({"format": 2, "idf": {"word": 1.5}}));
        let error = open(&text.replace("1.5", "1.6")).unwrap_err().to_string();
        assert!(error.contains("damaged") && error.contains(&hash), "{error}");
        assert!(matches!(open("{"), Err(ArtefactError::Malformed(_))));
    }

    #[test]
    fn every_number_is_read_as_it_was_written() {
        for number in [
            0.1 + 0.2,
            1.0 / 3.0,
            f64::MIN_POSITIVE,
            6.123_233_995_736_766e-17,
            9.819_375_062_139_1,
        ] {
            let (text, _) = seal(json!({"format": 2, "idf": {"a": number}}));
            assert_eq!(open(&text).unwrap().0["idf"]["a"], json!(number));
        }
    }
}
