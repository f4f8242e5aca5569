//! The stems of words. Texts repeat words more than they differ in them, and to stem one costs as much as to compare
//! five: so the stems of those met lately are kept.

use std::cell::RefCell;
use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use snowball_stemmers_rs::{Algorithm, Stemmer};

use crate::text::{Language, fold_into};

/// Words of a language whose stems a thread keeps, in some two megabytes; with one more it begins anew.
const MOST_KEPT: usize = 16_384;

/// By a word, its stem.
type Kept = FxHashMap<Box<str>, Box<str>>;

thread_local! {
    static KEPT: RefCell<[Kept; 2]> = RefCell::default();
}

static ENGLISH: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::create(Algorithm::English));
static SPANISH: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::create(Algorithm::Spanish));

/// Appends the stem of a word, folded.
pub fn stem_into(word: &str, language: Language, stems: &mut String) {
    KEPT.with_borrow_mut(|kept| {
        let (kept, stemmer) = match language {
            Language::English => (&mut kept[0], &*ENGLISH),
            Language::Spanish => (&mut kept[1], &*SPANISH),
        };
        if let Some(stem) = kept.get(word) {
            return stems.push_str(stem);
        }
        let start = stems.len();
        fold_into(&stemmer.stem(word), stems);
        if kept.len() == MOST_KEPT {
            kept.clear();
        }
        kept.insert(word.into(), stems[start..].into());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stem(word: &str, language: Language) -> String {
        let mut stem = String::new();
        stem_into(word, language, &mut stem);
        stem
    }

    #[test]
    fn a_word_has_the_same_stem_every_time_and_each_language_its_own() {
        for _ in 0..2 {
            assert_eq!(stem("casas", Language::Spanish), "cas");
            assert_eq!(stem("casas", Language::English), "casa");
        }
    }

    #[test]
    fn more_words_than_are_kept_have_their_stems_and_take_no_more_room() {
        for number in 0..=MOST_KEPT {
            assert_eq!(
                stem(&format!("x{number}ings"), Language::English),
                format!("x{number}ing")
            );
        }
        assert!(KEPT.with_borrow(|kept| kept[0].len()) <= MOST_KEPT);
    }
}
