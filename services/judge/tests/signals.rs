//! What each signal about order and place notices, and what it lets pass.

mod common;

use common::{case, scorer};

/// A signal, a reference, an answer that has it, and one that says much the same without it.
const CASES: [(&str, &str, &str, &str); 5] = [
    (
        "exchanged",
        "In 1860 the tall baker taught the young smith to read.",
        "In 1860 the tall smith taught the young baker to read.",
        "A baker, a tall one, taught a smith to read, in 1860.",
    ),
    (
        "substituted",
        "The bridge has 40 arches of red stone.",
        "The bridge has 60 arches of red stone.",
        "Red stone: the bridge has 40 arches. It took 60 years.",
    ),
    (
        "denied",
        "The old harbour freezes in cold winters.",
        "The old harbour never freezes in cold winters.",
        "Every ship leaves, because the old harbour freezes. It is not deep.",
    ),
    (
        "lead_uncovered",
        "It was built of granite. Later the monks added a chapel and a garden with fruit trees.",
        "Later the monks added a chapel and a garden with fruit trees.",
        "Granite was used, and it was built slowly.",
    ),
    (
        "digressing",
        "Bees dance to tell where flowers are.",
        "Bees dance. My cousin bought seven bicycles yesterday.",
        "Bees dance. With a dance they tell where flowers are.",
    ),
];

fn value(signal: &str, reference: &str, answer: &str) -> f64 {
    let judgement = scorer().judge(&case("What can you tell me?", &[reference], answer));
    judgement.signals.rounded().get(signal).copied().unwrap_or(0.0)
}

#[test]
fn each_signal_notices_what_it_says_and_nothing_else() {
    for (signal, reference, with, without) in CASES {
        assert!(value(signal, reference, with) > 0.0, "{signal} does not notice: {with}");
        assert!(
            value(signal, reference, without) < 0.5,
            "{signal} is wrong about: {without}"
        );
        assert!(
            value(signal, reference, reference).abs() < f64::EPSILON,
            "{signal}: {reference}"
        );
    }
}
