//! What may be said of one run against another, and no more: the sentences of `make report` (`report/comparison.py`).

use crate::comparison::Comparison;
use crate::comparison::statistics::{Estimate, MARGIN, Word};
use crate::language::Language;
use crate::text::visible;

/// The sentence of a comparison.
pub fn sentence(l: Language, found: &Comparison) -> String {
    let (one, other) = (visible(&found.first.name), visible(&found.second.name));
    let counted = counted(l, found.pairs.len());
    let Some(difference) = found.main().map(|metric| metric.difference) else {
        return l.say(
            format!("{other} and {one} share no question and cannot be compared: they had other datasets, or other draws."),
            format!("{other} y {one} no comparten ninguna pregunta y no se pueden comparar: tuvieron otros datos, u otros sorteos."),
        );
    };
    let Some(word) = found.word() else {
        return l.say(
            format!("{other} and {one} were not judged alike, so that nothing is said of which is better ({counted})."),
            format!("{other} y {one} no se juzgaron igual, así que no se dice cuál es mejor ({counted})."),
        );
    };
    if word == Word::TooFew && found.better == 0 && found.worse == 0 {
        return l.say(
            format!("{other} against {one}: the same verdicts on all {counted}, which are too few to say more."),
            format!(
                "{other} frente a {one}: los mismos veredictos en todas ({counted}), que son muy pocas para decir más."
            ),
        );
    }
    if word == Word::TooFew {
        let needed = l.whole(found.needed as i64);
        return l.say(
            format!("{other} against {one}: too few to say ({counted}); about {needed} would do."),
            format!("{other} frente a {one}: muy pocos datos ({counted}); bastarían unas {needed}."),
        );
    }
    let on = l.say("on", "en");
    format!("{}, {on} {counted}.", said(l, word, &difference, &one, &other))
}

/// A word with its numbers, as a clause.
fn said(l: Language, word: Word, difference: &Estimate, one: &str, other: &str) -> String {
    let (low, high) = (signed(l, difference.low), signed(l, difference.high));
    let points = l.decimal(100.0 * difference.value.abs(), 1);
    let points = if difference.value >= 0.0 {
        l.say(
            format!("{points} points more accepted"),
            format!("{points} puntos más de aceptadas"),
        )
    } else {
        l.say(
            format!("{points} points less accepted"),
            format!("{points} puntos menos de aceptadas"),
        )
    };
    let interval = l.say(
        format!("95 % interval {low} to {high}"),
        format!("intervalo del 95 %: de {low} a {high}"),
    );
    let margin = 100.0 * MARGIN;
    match word {
        Word::Better | Word::SlightlyBetter | Word::Worse | Word::SlightlyWorse => {
            let is_better = matches!(word, Word::Better | Word::SlightlyBetter);
            let how = if is_better {
                l.say("better", "mejor")
            } else {
                l.say("worse", "peor")
            };
            let is_slight = matches!(word, Word::SlightlyBetter | Word::SlightlyWorse);
            let slightly = l.say(", by less than matters", ", por menos de lo que importa");
            let slightly = if is_slight { slightly } else { "" };
            l.say(
                format!("{other} is {how} than {one}{slightly}: {points} ({interval})"),
                format!("{other} es {how} que {one}{slightly}: {points} ({interval})"),
            )
        }
        Word::PracticallyEqual => l.say(
            format!("{other} and {one} are practically equal: within {margin} points ({interval})"),
            format!("{other} y {one} son prácticamente iguales: a menos de {margin} puntos ({interval})"),
        ),
        Word::NoneShown | Word::TooFew => l.say(
            format!("{other} against {one}: no difference shown; the data fit {low} to {high} points"),
            format!("{other} frente a {one}: no se observa diferencia; los datos admiten de {low} a {high} puntos"),
        ),
    }
}

/// The word alone, as a table has it.
pub fn short(l: Language, word: Word) -> &'static str {
    match word {
        Word::Better => l.say("better", "mejor"),
        Word::Worse => l.say("worse", "peor"),
        Word::SlightlyBetter => l.say("slightly better", "algo mejor"),
        Word::SlightlyWorse => l.say("slightly worse", "algo peor"),
        Word::PracticallyEqual => l.say("practically equal", "prácticamente igual"),
        Word::NoneShown => l.say("none shown", "no se observa"),
        Word::TooFew => l.say("too few", "muy pocos"),
    }
}

/// A share in points, with its sign; nothing has none.
pub fn signed(l: Language, share: f64) -> String {
    with_sign(l.decimal(100.0 * share, 1))
}

/// A written number with a plus where it is above 0, and no sign where it is written as 0.
pub fn with_sign(number: String) -> String {
    if number.chars().all(|letter| !letter.is_ascii_digit() || letter == '0') {
        number.trim_start_matches('−').to_owned()
    } else if number.starts_with('−') {
        number
    } else {
        format!("+{number}")
    }
}

fn counted(l: Language, pairs: usize) -> String {
    let pairs = l.whole(pairs as i64);
    l.say(
        format!("{pairs} shared questions"),
        format!("{pairs} preguntas compartidas"),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::comparison::golden;
    use crate::comparison::statistics::bootstrap;

    #[test]
    fn the_word_is_that_of_the_report() {
        for golden in golden::read().differences {
            let found = bootstrap(&golden.each()).unwrap();
            assert_eq!(short(Language::English, found.word()), golden.word, "{}", golden.what);
        }
    }

    #[test]
    fn the_sentence_is_that_of_the_report() {
        for given in golden::read().sentences {
            assert_eq!(sentence(Language::English, &given.comparison()), given.said);
        }
    }

    #[test]
    fn in_spanish_it_says_the_same() {
        let said: Vec<String> = golden::read()
            .sentences
            .iter()
            .map(|given| sentence(Language::Spanish, &given.comparison()))
            .collect();
        assert_eq!(
            said[0],
            "b es mejor que a: 3,1 puntos más de aceptadas (intervalo del 95 %: de +0,7 a +5,4), en 1\u{202f}204 preguntas compartidas."
        );
        let others: BTreeSet<&String> = said.iter().collect();
        assert_eq!(others.len(), said.len());
    }

    #[test]
    fn a_difference_of_nothing_has_no_sign() {
        let l = Language::English;
        assert_eq!(
            [-0.0001, 0.031, -0.014, 0.0].map(|share| signed(l, share)),
            ["0.0", "+3.1", "−1.4", "0.0"]
        );
    }
}
