use judge::{Case, Class, Mark};

use super::*;
use crate::test_support::scorer;

fn drawing() -> Drawing {
    Drawing {
        language: Language::English,
        heaviest: 10.0,
        is_full: false,
    }
}

fn mark(class: Class, start: usize, word: &str, weight: f64) -> Mark {
    Mark {
        word: word.into(),
        stem: word.into(),
        start,
        end: start + word.len(),
        class,
        weight,
    }
}

#[test]
fn words_are_marked_where_they_stand_in_bytes_and_texts_stay_texts() {
    let text = "Größe <b>zählt</b> & mehr\u{202e}";
    let marks = [mark(Class::Missing, "Größe <b>".len(), "zählt", 10.0)];
    let html = drawing().text(text, &marks).into_string();
    assert_eq!(
        html,
        "<div class=\"text\" dir=\"auto\">Größe &lt;b&gt;<mark class=\"missing t5\" data-stem=\"zählt\">zählt</mark>&lt;/b&gt; &amp; mehr⟨U+202E⟩</div>"
    );
}

#[test]
fn a_contradiction_is_told_without_colours_and_common_words_are_plain() {
    let marks = [
        mark(Class::Common, 0, "at", 0.0),
        mark(Class::Contradicts, 3, "noon", 1.0),
    ];
    let html = drawing().text("at noon", &marks).into_string();
    assert!(html.contains("at <mark class=\"contradicts t1\""), "{html}");
    assert!(
        html.contains(
            "<span class=\"unseen\">contradicts </span><span class=\"form\" aria-hidden=\"true\">≠</span>noon"
        )
    );
}

#[test]
fn weights_have_five_steps_on_one_scale() {
    let tints = [0.0, 1.9, 2.0, 5.0, 9.9, 10.0].map(|weight| drawing().tint(weight));
    assert_eq!(tints, [1, 1, 2, 3, 5, 5]);
}

#[test]
fn a_long_text_is_folded_between_words_and_says_what_is_inside() {
    let text = format!("{}longword end", "x ".repeat(599));
    let marks = [
        mark(Class::Added, 1198, "longword", 5.0),
        mark(Class::Common, 1207, "end", 0.0),
    ];
    let html = drawing().text(&text, &marks).into_string();
    assert!(
        html.contains("<details class=\"rest\"><summary>12 more characters, 1 marked word inside</summary>"),
        "{html}"
    );
    assert!(html.contains("<div class=\"text\" dir=\"auto\"><mark"), "{html}");
    let drawing = Drawing {
        is_full: true,
        ..drawing()
    };
    assert!(
        drawing
            .text(&text, &marks)
            .into_string()
            .contains("<details class=\"rest\" open>")
    );
    assert!(!drawing.text(&"ñ".repeat(SHOWN), &[]).into_string().contains("<details"));
}

#[test]
fn above_two_thousand_words_nothing_is_marked() {
    let text = "a ".repeat(MOST_MARKED + 1);
    let marks: Vec<Mark> = (0..=MOST_MARKED)
        .map(|at| mark(Class::Added, 2 * at, "a", 1.0))
        .collect();
    assert!(!drawing().text(&text, &marks).into_string().contains("<mark"));
    assert!(drawing().text(&text, &marks[1..]).into_string().contains("<mark"));
}

#[test]
fn what_is_marked_are_the_words_that_the_judge_counted() {
    let case = Case {
        question: "Why is the sky blue?",
        references: &["Air scatters short waves more."],
        answer: "The sea does not scatter.",
    };
    let explained = scorer().explain(&case);
    let html = drawing()
        .text("Air scatters short waves more.", &explained.reference_words)
        .into_string();
    for missing in distinct(&explained.reference_words, Class::Missing) {
        assert!(html.contains(&format!(">{}</mark>", missing.word)), "{html}");
    }
    assert!(!distinct(&explained.reference_words, Class::Missing).is_empty());
    let table = words(Language::Spanish, &explained).into_string();
    assert!(table.contains("falta") && table.contains("scatter"), "{table}");
}
