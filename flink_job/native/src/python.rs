//! The Python module `cotejo_native`; `cotejo_native.pyi` is its other half.
//!
//! The GIL is kept: a call takes some ten microseconds, and giving it up and taking it back would not be felt.

use std::collections::BTreeMap;
use std::sync::Arc;

use contracts::message::{ErrorMessage, LlmRequest, QuestionMessage, RegenerationRequest, ValidatedResponse};
use contracts::record;
use contracts::topic::Message;
use contracts::value::Score;
use judge::{Case, Signal, Signals};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::attempts::Action;
use crate::guard::guarded;
use crate::records::{self, First, Followed, Record};

/// What the Flink job does with a record.
#[pymodule]
mod cotejo_native {
    #[pymodule_export]
    use super::{Judge, Scorer, decode, meanings, seal, words};
}

/// Judges the answers of a stream.
#[pyclass(frozen)]
struct Judge(records::Judge);

#[pymethods]
impl Judge {
    #[new]
    fn new(artefact: &str, threshold: f64, max_attempts: u32) -> PyResult<Self> {
        let threshold = Score::try_from(threshold).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self(records::Judge::new(scorer_of(artefact)?, threshold, max_attempts)))
    }

    fn first<'py>(&self, py: Python<'py>, value: Option<&[u8]>) -> PyResult<Bound<'py, PyTuple>> {
        match guarded(|| self.0.first(value)) {
            Ok(First::Accepted(record)) => {
                let (key, value) = bytes(py, &record);
                ("accepted", key, value).into_pyobject(py)
            }
            Ok(First::Failed { message_id, judged }) => {
                ("failed", message_id, PyBytes::new(py, &judged)).into_pyobject(py)
            }
            Err(reason) => ("rejected", reason).into_pyobject(py),
        }
    }

    #[staticmethod]
    fn ended(value: Option<&[u8]>) -> Option<String> {
        guarded(|| record::decode::<ErrorMessage>(value))
            .ok()
            .map(|error| error.identity.message_id.into())
    }

    fn follow<'py>(
        &self,
        py: Python<'py>,
        state: Option<&str>,
        judged: &[u8],
        value: Option<&[u8]>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        match guarded(|| self.0.follow(state, judged, value)) {
            Ok(Followed { action, state, record }) => {
                let record = record.map(|record| bytes(py, &record));
                (name_of(action), state, record).into_pyobject(py)
            }
            Err(reason) => ("rejected", reason).into_pyobject(py),
        }
    }
}

fn name_of(action: Action) -> &'static str {
    match action {
        Action::Accept => "accepted",
        Action::Exhaust => "exhausted",
        Action::Regenerate => "regenerated",
        Action::Drop => "dropped",
    }
}

fn bytes<'py>(py: Python<'py>, record: &Record) -> (Bound<'py, PyBytes>, Bound<'py, PyBytes>) {
    (PyBytes::new(py, &record.key), PyBytes::new(py, &record.value))
}

/// Scores answers, for tools.
#[pyclass(frozen)]
struct Scorer(Arc<judge::Scorer>);

#[pymethods]
impl Scorer {
    #[new]
    fn new(artefact: &str) -> PyResult<Self> {
        scorer_of(artefact).map(Self)
    }

    #[getter]
    fn hash(&self) -> &str {
        self.0.hash()
    }

    fn is_unsure(&self, score: f64) -> bool {
        self.0.is_unsure(score)
    }

    fn score(&self, question: &str, references: Vec<String>, answer: &str) -> PyResult<f64> {
        self.with(question, &references, answer, |case| Ok(self.0.judge(case).score))
    }

    fn signals(&self, question: &str, references: Vec<String>, answer: &str) -> PyResult<BTreeMap<&'static str, f64>> {
        self.with(question, &references, answer, |case| {
            Ok(by_name(&self.0.judge(case).signals))
        })
    }

    fn measure(
        &self,
        question: &str,
        references: Vec<String>,
        answer: &str,
    ) -> PyResult<Vec<(BTreeMap<&'static str, f64>, usize)>> {
        self.with(question, &references, answer, |case| {
            let measured = self.0.signals(case);
            Ok(measured
                .iter()
                .map(|(signals, words)| (by_name(signals), *words))
                .collect())
        })
    }

    fn explain(&self, question: &str, references: Vec<String>, answer: &str) -> PyResult<String> {
        self.with(question, &references, answer, |case| {
            serde_json::to_string(&self.0.explain(case)).map_err(|error| error.to_string())
        })
    }
}

impl Scorer {
    fn with<T>(
        &self,
        question: &str,
        references: &[String],
        answer: &str,
        work: impl FnOnce(&Case<'_>) -> Result<T, String>,
    ) -> PyResult<T> {
        if references.is_empty() {
            return Err(PyValueError::new_err("there is no reference"));
        }
        let references: Vec<_> = references.iter().map(String::as_str).collect();
        let case = Case {
            question,
            references: &references,
            answer,
        };
        guarded(|| work(&case)).map_err(PyRuntimeError::new_err)
    }
}

fn by_name(signals: &Signals) -> BTreeMap<&'static str, f64> {
    signals.iter().map(|(signal, value)| (signal.name(), value)).collect()
}

fn scorer_of(artefact: &str) -> PyResult<Arc<judge::Scorer>> {
    guarded(|| records::scorer_of(artefact).map_err(|error| error.to_string())).map_err(PyValueError::new_err)
}

/// The words of a text as they are counted: their stems, in order.
#[pyfunction]
fn words(text: &str) -> PyResult<Vec<String>> {
    guarded(|| Ok(judge::words(text).into_iter().map(|(stem, _)| stem).collect())).map_err(PyRuntimeError::new_err)
}

/// Every signal by name, with what it says.
#[pyfunction]
fn meanings() -> BTreeMap<&'static str, &'static str> {
    Signal::ALL
        .iter()
        .map(|signal| (signal.name(), signal.meaning()))
        .collect()
}

/// An artefact with its hash in it, and the hash.
#[pyfunction]
fn seal(artefact: &str) -> PyResult<(String, String)> {
    let artefact = serde_json::from_str(artefact).map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(judge::seal(artefact))
}

/// Why a record's value is no such message; None if it is one.
#[pyfunction]
fn decode(message: &str, value: Option<&[u8]>) -> PyResult<Option<String>> {
    fn reason<M: Message>(value: Option<&[u8]>) -> Option<String> {
        record::decode::<M>(value).err()
    }
    match message {
        "QuestionMessage" => Ok(reason::<QuestionMessage>(value)),
        "LlmRequest" => Ok(reason::<LlmRequest>(value)),
        "LlmResponse" => Ok(records::read(value).err()),
        "RegenerationRequest" => Ok(reason::<RegenerationRequest>(value)),
        "ValidatedResponse" => Ok(reason::<ValidatedResponse>(value)),
        "ErrorMessage" => Ok(reason::<ErrorMessage>(value)),
        _ => Err(PyValueError::new_err(format!("there is no message {message}"))),
    }
}
