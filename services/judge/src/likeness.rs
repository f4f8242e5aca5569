//! How similar two words are written.

/// Words at least as similar as this, and long enough, are taken for two spellings of one.
pub const MISSPELT: f64 = 0.8;
/// Shorter words are never taken for misspellings: "cat" is not "car".
pub const SHORTEST: usize = 5;
/// Longer words are not compared.
const LONGEST: usize = 32;

/// Twice the letter pairs in common by all letter pairs, after Dice; the ends of a word count as letters.
pub fn likeness(left: &str, right: &str) -> f64 {
    let (left_length, right_length) = (left.chars().count(), right.chars().count());
    if left_length.max(right_length) > LONGEST || left_length.min(right_length) == 0 {
        return 0.0;
    }
    let mut used = 0_u64;
    let mut common = 0_u32;
    for pair in pairs(left) {
        let free = pairs(right)
            .enumerate()
            .find(|(index, other)| used & (1 << index) == 0 && *other == pair);
        if let Some((index, _)) = free {
            used |= 1 << index;
            common += 1;
        }
    }
    2.0 * f64::from(common) / (left_length + right_length + 2) as f64
}

/// No two words whose letters differ as much can be similar: a cheap test before the exact one.
pub fn may_be_like(left: u32, right: u32) -> bool {
    let common = (left & right).count_ones();
    5 * common >= 2 * left.count_ones().max(right.count_ones())
}

fn pairs(word: &str) -> impl Iterator<Item = (char, char)> + '_ {
    let letters = word.chars().chain([' ']);
    letters.scan(' ', |before, letter| Some((std::mem::replace(before, letter), letter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_similar_and_other_words_are_not() {
        assert!(likeness("mississippi", "missisippi") > MISSPELT);
        assert!(likeness("schwarzenegger", "schwarzeneger") > MISSPELT);
        assert!(likeness("austria", "australia") < MISSPELT);
        assert!(likeness("австрия", "австралия") < MISSPELT);
        assert!(likeness("достоевский", "достоевскии") > MISSPELT);
        assert!(likeness("paris", "london") < 0.2);
        assert!((likeness("same", "same") - 1.0).abs() < 1e-12);
        assert_eq!(likeness("", "x"), 0.0);
    }
}
