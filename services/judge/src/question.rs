//! What kind of answer a question asks for.

use crate::text::Text;

/// What questions begin with that one answers by yes or no.
const POLAR: [&str; 32] = [
    "is", "are", "was", "were", "am", "do", "does", "did", "can", "could", "will", "would", "has", "have", "had",
    "may", "must", "might", "if", "es", "son", "era", "fue", "esta", "estan", "puede", "puedo", "pueden", "se", "hay",
    "tiene", "ha",
];

/// What a question asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked {
    /// A number: how many, when.
    pub number: bool,
    /// An explanation or advice: why, how, should. Of a short part of it one cannot say that it is the answer.
    pub explanation: bool,
    /// Yes or no; where the reference says neither, it is an explanation.
    pub polar: bool,
}

impl Asked {
    /// Reads the question's words. "How many" and the like ask for a number and for no explanation.
    pub fn of(question: &Text<'_>) -> Self {
        let words = &question.words;
        let number = words.iter().any(|word| word.entry.counts);
        let quantity = |position: usize| words.get(position + 1).is_some_and(|next| next.entry.counts);
        let explanation = words
            .iter()
            .enumerate()
            .any(|(position, word)| word.entry.explains && !quantity(position));
        let stems = words.iter().map(|word| question.stem(word));
        let why = stems.clone().zip(stems.skip(1)).any(|pair| pair == ("por", "que"));
        let polar = words.first().is_some_and(|word| POLAR.contains(&question.stem(word)));
        Self {
            number,
            explanation: explanation || why,
            polar,
        }
    }
}
