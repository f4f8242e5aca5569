//! What single signals notice, and what they let pass.

mod common;

use common::{artefact, case, scorer};
use judge::Scorer;
use serde_json::json;

/// A signal, a reference, an answer and the signal's value.
const CASES: [(&str, &str, &str, f64); 29] = [
    (
        "exchanged",
        "In 1860 the tall baker taught the young smith to read.",
        "In 1860 the tall smith taught the young baker to read.",
        1.0,
    ),
    (
        "exchanged",
        "In 1860 the tall baker taught the young smith to read.",
        "In 1860 the tall smith taught the young baker to read. A tall man taught the young.",
        1.0,
    ),
    (
        "exchanged",
        "In 1860 the tall baker taught the young smith to read.",
        "A baker, a tall one, taught a smith to read, in 1860.",
        0.0,
    ),
    ("substituted", ARCHES, "The bridge has 60 arches of red stone.", 1.0),
    (
        "substituted",
        ARCHES,
        "The bridge has 60 arches of red stone. The bridge has broad arches.",
        1.0,
    ),
    (
        "substituted",
        ARCHES,
        "Red stone: the bridge has 40 arches. It took 60 years.",
        0.0,
    ),
    ("substituted", ARCHES, "The bridge has many arches of red stone.", 0.0),
    ("substituted", ARCHES, "The bridge has broad arches of red stone.", 0.0),
    (
        "substituted",
        "The old bridge has two arches of stone.",
        "The old bridge has five arches of stone.",
        1.0,
    ),
    (
        "numbers_missing",
        "The old bridge has two arches.",
        "The old bridge has 2 arches.",
        0.0,
    ),
    (
        "numbers_missing",
        "Two bridges are made of stone.",
        "Bridges are made of stone.",
        1.0,
    ),
    (
        "numbers_missing",
        "The second bridge is made of stone.",
        "This bridge is made of stone.",
        0.0,
    ),
    (
        "numbers_missing",
        "It has 12,000 inhabitants.",
        "It has 12\u{202f}000 inhabitants.",
        0.0,
    ),
    (
        "numbers_missing",
        "It cost 5 million.",
        "It cost five\u{a0}million.",
        0.0,
    ),
    (
        "denied",
        "The old harbour freezes in cold winters.",
        "The old harbour never freezes in cold winters.",
        1.0,
    ),
    (
        "denied",
        "The old harbour freezes in cold winters.",
        "Every ship leaves, because the old harbour freezes. It is not deep.",
        0.0,
    ),
    (
        "denied",
        "Cats like fish on land. Cats do not like fish in water. Dogs like neither.",
        "Cats do not like fish in water. Dogs like neither.",
        0.0,
    ),
    (
        "lead_uncovered",
        GRANITE,
        "Later the monks added a chapel and a garden with fruit trees.",
        1.0,
    ),
    (
        "lead_uncovered",
        GRANITE,
        "Granite was used, and it was built slowly.",
        0.0,
    ),
    ("lead_names", OPENING, "It was paid for in 1874.", 1.0),
    ("lead_names", OPENING, "In Alba, by Ines Duarte.", 0.0),
    ("lead_numbers", OPENING, "Ines Duarte paid for it in Alba.", 1.0),
    ("lead_numbers", OPENING, "In 1874.", 0.0),
    (
        "lead_beyond",
        OPENING,
        "Nobody remembers. Ines Duarte paid in 1874.",
        1.0,
    ),
    (
        "lead_beyond",
        OPENING,
        "Ines Duarte paid in 1874. Nobody remembers why.",
        0.0,
    ),
    (
        "digressing",
        "Bees dance to tell where flowers are.",
        "Bees dance. My cousin bought seven bicycles yesterday.",
        5.0 / 7.0,
    ),
    (
        "digressing",
        "Bees dance to tell where flowers are.",
        "Bees dance. With a dance they tell where flowers are.",
        0.0,
    ),
    ("uncovered", "Windows10", "Windows11", 1.0),
    ("uncovered", "Dostoyevsky", "Dostoevsky", 0.0),
];

const ARCHES: &str = "The bridge has 40 arches of red stone.";
const GRANITE: &str = "It was built of granite. Later the monks added a chapel and a garden with fruit trees.";
const OPENING: &str = "In Alba the harbour was paid for by Ines Duarte in 1874. Boats came from everywhere.";

fn value(signal: &str, reference: &str, answer: &str) -> f64 {
    let judgement = scorer().judge(&case("What can you tell me?", &[reference], answer));
    judgement.signals.rounded().get(signal).copied().unwrap_or(0.0)
}

#[test]
fn each_signal_has_the_value_that_its_sentence_says() {
    for (signal, reference, answer, expected) in CASES {
        let found = value(signal, reference, answer);
        assert!((found - expected).abs() < 1e-4, "{signal} is {found}: {answer}");
        assert!(
            value(signal, reference, reference).abs() < 1e-9,
            "{signal}: {reference}"
        );
    }
}

#[test]
fn english_words_are_not_taken_for_words_of_spanish_grammar() {
    for (reference, answer) in [
        ("his tall son", "tall"),
        ("fresh hay", "fresh"),
        ("a deadly sin", "deadly"),
        ("an apple pie", "apple"),
        ("quince jam", "jam"),
        ("a solo flight", "flight"),
        ("the Victorian era", "Victorian"),
        ("May 1821", "1821"),
        ("Theresa May", "Theresa"),
    ] {
        assert!(value("uncovered", reference, answer) > 0.3, "{reference}");
        assert!(value("negations", reference, answer) < 0.1, "{reference}");
    }
    assert!(
        value(
            "negations",
            "Lo tomo con leche y sin azúcar.",
            "Lo tomo con leche y azúcar."
        ) > 0.0
    );
    assert!(value("uncovered", "5 de mayo de 1821", "5 May 1821") < 0.1);
}

#[test]
fn an_answer_without_words_is_refused_beside_any_reference_with_words() {
    let lengths = [1, 2, 3, 4, 6, 12, 40].map(|times| "Trim the stems and stand them in water. ".repeat(times));
    let short = [
        "Lima",
        "1492",
        "yes",
        "a red brick",
        "It is the river that runs through the town.",
    ];
    for reference in lengths.iter().map(String::as_str).chain(short) {
        for answer in ["", " ", "…", "🎾"] {
            let score = scorer().judge(&case("What is it?", &[reference], answer)).score;
            assert!(score < 0.05, "{score} for {answer:?} beside {reference}");
        }
    }
}

#[test]
fn beside_a_reference_without_words_only_itself_is_accepted() {
    for answer in ["", "Lima", "It is the river that runs through the town."] {
        let score = scorer().judge(&case("What is it?", &["🎾"], answer)).score;
        assert!(score < 0.05, "{score} for {answer:?}");
    }
}

#[test]
fn an_artefact_that_could_score_above_the_reference_is_refused() {
    let refused = |pointer: &str, value: serde_json::Value| {
        let mut artefact = artefact();
        *artefact.pointer_mut(pointer).unwrap() = value;
        Scorer::from_json(&judge::seal(artefact).0).unwrap_err().to_string()
    };
    for idf in [0.0, -1.0] {
        assert!(refused("/unknown_idf", json!(idf)).contains("idf"));
        assert!(refused("/idf", json!({"paris": idf})).contains("idf"));
    }
    for (weights, name) in [
        (json!({"cosine": [-1.0, -1.0]}), "cosine"),
        (json!({"beyond": [0.1, -1.0]}), "beyond"),
        (json!({"charm": [-1.0, -1.0]}), "charm"),
    ] {
        assert!(refused("/model/human/weights", weights).contains(name));
    }
}
