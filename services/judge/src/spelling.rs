//! Words of the reference that the answer has in another spelling.

use crate::compare::{Answer, Relevant};
use crate::likeness::{MISSPELT, SHORTEST, likeness, may_be_like};
use crate::profile::Profile;
use crate::stems::Stems;

/// At most so many missing words are compared letter by letter with at most so many of the answer.
const MISSING_COMPARED: usize = 64;
const ADDED_COMPARED: usize = 512;

/// Finds the answer's most similar word to each missing one.
pub fn spell(answer: &Answer<'_>, reference: &Profile<'_>, relevant: Relevant, stems: &mut Stems<'_>) {
    let missing =
        |id: &&u32| relevant.includes(stems.get(**id)) && !stems.get(**id).answer.any() && !stems.get(**id).number();
    let missing: Vec<u32> = reference
        .distinct
        .iter()
        .filter(missing)
        .take(MISSING_COMPARED)
        .copied()
        .collect();
    if missing.is_empty() {
        return;
    }
    let added =
        |id: &&u32| !stems.get(**id).reference.any() && !stems.get(**id).number() && relevant.includes(stems.get(**id));
    let added: Vec<u32> = answer
        .profile
        .distinct
        .iter()
        .filter(added)
        .take(ADDED_COMPARED)
        .copied()
        .collect();
    for id in missing {
        let stem = *stems.get(id);
        let mut best = (0.0, None);
        for other in &added {
            let candidate = stems.get(*other);
            let negated = is_negated(stem.text, candidate.text) || is_negated(candidate.text, stem.text);
            if !negated && may_be_like(stem.letters(), candidate.letters()) {
                let likeness = likeness(stem.text, candidate.text);
                if likeness > best.0 {
                    best = (likeness, Some(*other));
                }
            }
        }
        let (likeness, Some(other)) = best else { continue };
        let misspelt = likeness >= MISSPELT && may_be_misspelt(stem.text, stems.get(other).text);
        stems.all[id as usize].likeness = likeness;
        stems.all[id as usize].misspelt = misspelt;
        stems.all[other as usize].misspelt |= misspelt;
    }
}

/// Long enough, and not two numbers: Windows10 is not Windows11.
fn may_be_misspelt(word: &str, other: &str) -> bool {
    let digits = |text: &str| text.chars().filter(|letter| letter.is_numeric()).collect::<String>();
    word.chars().count().min(other.chars().count()) >= SHORTEST && digits(word) == digits(other)
}

/// Whether a word is another one with a beginning that makes it the opposite: alike as they are, they are no typos.
fn is_negated(word: &str, other: &str) -> bool {
    const BEGINNINGS: [&str; 9] = ["un", "in", "im", "ir", "il", "dis", "non", "anti", "des"];
    word.strip_suffix(other)
        .is_some_and(|beginning| BEGINNINGS.contains(&beginning))
}
