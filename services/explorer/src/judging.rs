//! An outcome's texts, as a judge takes them.

use judge::Case;
use messaging::result_document::ResultDocument;

/// All references of an outcome.
pub fn references(outcome: &ResultDocument) -> impl Iterator<Item = &str> {
    outcome
        .best_answer
        .iter()
        .chain(&outcome.other_answers)
        .map(String::as_str)
}

/// The question, as a judge takes it; `None` where its text is gone.
pub fn question(outcome: &ResultDocument) -> Option<String> {
    let content = outcome.content.as_deref().unwrap_or_default();
    Some(format!("{}\n{content}", outcome.title.as_deref()?))
}

/// What a judge says of an answer to an outcome's question; `None` where the texts are gone.
pub fn judged<T>(outcome: &ResultDocument, answer: &str, judge: impl FnOnce(&Case<'_>) -> T) -> Option<T> {
    let question = question(outcome)?;
    let references: Vec<&str> = references(outcome).collect();
    let case = Case {
        question: &question,
        references: &references,
        answer,
    };
    (!references.is_empty()).then(|| judge(&case))
}
