//! Words that mean the opposite of each other, by stem.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use crate::lexicon;
use crate::text::{Language, Text};

/// The stems of the words that mean the opposite.
pub fn of(stem: &str) -> &'static [String] {
    OPPOSITES.get(stem).map_or(&[], Vec::as_slice)
}

static OPPOSITES: LazyLock<FxHashMap<String, Vec<String>>> = LazyLock::new(|| {
    let mut opposites = FxHashMap::<String, Vec<String>>::default();
    for language in [Language::English, Language::Spanish] {
        for (word, others) in lexicon::all_opposites() {
            let stems = others.iter().map(|other| stem(other, language));
            opposites.entry(stem(word, language)).or_default().extend(stems);
        }
    }
    opposites
});

fn stem(word: &str, language: Language) -> String {
    let mut text = Text::read(word);
    text.stem_all(language);
    text.words
        .first()
        .map(|word| text.stem(word).to_owned())
        .unwrap_or_default()
}
