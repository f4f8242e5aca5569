//! Texts as large as they may be: the work is bounded.

mod common;

use common::{case, scorer};

const LARGEST: usize = 256 * 1024;

fn filled(piece: &str) -> String {
    piece.repeat(LARGEST / piece.len())
}

fn different_words() -> String {
    let mut text = String::new();
    for number in 0_u64.. {
        let mut value = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let word: String = (0..7)
            .map(|_| {
                let letter = b'a' + (value % 26) as u8;
                value /= 26;
                letter as char
            })
            .collect();
        text.push_str(&word);
        text.push(if number % 9 == 8 { '.' } else { ' ' });
        if text.len() > LARGEST {
            break;
        }
    }
    text
}

#[test]
fn the_largest_texts_of_any_kind_are_judged() {
    let texts = [
        filled("a"),
        filled("a "),
        filled("1"),
        filled("1,000,"),
        filled("1 "),
        filled("two "),
        filled("thousand "),
        filled("I."),
        filled("not "),
        filled("é"),
        filled("e\u{301}"),
        filled("中"),
        filled("'"),
        filled("a'b"),
        filled("."),
        filled("a.\n"),
        filled("Paris "),
        filled("ab ac ab ad "),
        filled("🎾"),
        filled("ing"),
        filled("mente"),
        different_words(),
    ];
    let several: Vec<&str> = texts.iter().map(String::as_str).take(16).collect();
    for answer in &texts {
        let judgement = scorer().judge(&case("What is it?", &several, answer));
        assert!((0.0..=1.0).contains(&judgement.score));
        for reference in [&texts[21], &texts[17]] {
            let judgement = scorer().judge(&case(answer, &[reference], answer));
            assert!((0.0..=1.0).contains(&judgement.score));
        }
    }
}

#[test]
fn sixteen_large_references_and_a_large_answer_are_explained() {
    let text = different_words();
    let references = [text.as_str(); 16];
    let explanation = scorer().explain(&case("", &references, &text[..LARGEST / 2]));
    assert!(explanation.score < 1.0 && explanation.reference == 0);
}
