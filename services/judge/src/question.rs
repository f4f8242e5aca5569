//! What kind of answer a question asks for.

use crate::text::Text;

/// What questions begin with that one answers by yes or no.
const POLAR: [&str; 32] = [
    "is", "are", "was", "were", "am", "do", "does", "did", "can", "could", "will", "would", "has", "have", "had",
    "may", "must", "might", "if", "es", "son", "era", "fue", "esta", "estan", "puede", "puedo", "pueden", "se", "hay",
    "tiene", "ha",
];

/// Behind "what is": what follows has one name.
const NAMED: [&str; 9] = ["the", "my", "your", "his", "her", "its", "our", "their", "this"];

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
        let stems: Vec<&str> = words.iter().map(|word| question.stem(word)).collect();
        let why = stems.windows(2).any(|pair| pair == ["por", "que"]);
        let polar = stems.first().is_some_and(|first| POLAR.contains(first));
        Self {
            number,
            explanation: explanation || why || defines(&stems),
            polar,
        }
    }
}

/// "What is a …" and "what does … do" ask what something is or does; "what is the …" asks for its name.
fn defines(stems: &[&str]) -> bool {
    stems.windows(3).any(|words| match words {
        ["what", "is" | "are", next] => !NAMED.contains(next),
        ["what", next, _] => [
            "a", "an", "do", "does", "did", "can", "could", "exact", "make", "should",
        ]
        .contains(next),
        _ => false,
    })
}
