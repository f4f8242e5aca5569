//! A text with the words marked that made its score.

use std::collections::HashSet;

use judge::{Class, Explanation, Mark};
use maud::{Markup, html};

use crate::language::Language;
use crate::text::visible;

/// With more words a side, marks help nobody.
pub const MOST_MARKED: usize = 2000;
/// After so many letters, a text is folded.
pub const SHOWN: usize = 1200;
const TINTS: f64 = 5.0;

/// How texts are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Drawing {
    pub language: Language,
    /// What the heaviest word weighs, on whichever side and in whichever attempt: all have one scale.
    pub heaviest: f64,
    /// Long texts are unfolded.
    pub is_full: bool,
}

impl Drawing {
    /// A text with its marks; those say where words stand in bytes.
    pub fn text(&self, text: &str, marks: &[Mark]) -> Markup {
        let marks = if marks.len() > MOST_MARKED { &[][..] } else { marks };
        let l = self.language;
        let Some(end) = end_of_shown(text, marks) else {
            return html! { div.text dir="auto" { (self.part(text, marks, 0, text.len())) } };
        };
        let letters = i64::try_from(text[end..].chars().count()).unwrap_or(i64::MAX);
        let words = marks
            .iter()
            .filter(|mark| mark.start >= end && mark.class != Class::Common)
            .count();
        let words = i64::try_from(words).unwrap_or(i64::MAX);
        html! {
            div.text dir="auto" { (self.part(text, marks, 0, end)) }
            details.rest open[self.is_full] {
                summary {
                    (l.whole(letters)) " " (l.say("more characters", "caracteres más"))
                    @if words > 0 {
                        ", " (l.whole(words)) " "
                        @if words == 1 { (l.say("marked word inside", "palabra marcada dentro")) }
                        @else { (l.say("marked words inside", "palabras marcadas dentro")) }
                    }
                }
                div.text dir="auto" { (self.part(text, marks, end, text.len())) }
            }
        }
    }

    fn part(&self, text: &str, marks: &[Mark], from: usize, to: usize) -> Markup {
        let mut at = from;
        let mut parts = vec![];
        let inside = |mark: &&Mark| mark.class != Class::Common && mark.start >= from && mark.end <= to;
        for mark in marks.iter().filter(inside) {
            if mark.start >= at {
                parts.push(html! { (visible(&text[at..mark.start])) (self.word(mark)) });
                at = mark.end;
            }
        }
        html! {
            @for part in parts { (part) }
            (visible(&text[at..to]))
        }
    }

    fn word(&self, mark: &Mark) -> Markup {
        let contradicts = mark.class == Class::Contradicts;
        html! {
            mark class=(format!("{} t{}", css(mark.class), self.tint(mark.weight))) data-stem=(mark.stem) tabindex=[contradicts.then_some("0")] {
                @if contradicts {
                    span.unseen { (name(self.language, mark.class)) " " }
                    span.form aria-hidden="true" { "≠" }
                }
                (visible(&mark.word))
            }
        }
    }

    fn tint(&self, weight: f64) -> u8 {
        let step = (1.0 + (TINTS * weight / self.heaviest).floor()).clamp(1.0, TINTS);
        // Between 1 and 5.
        step as u8
    }
}

/// Where the shown part of a long text ends: not within a word.
fn end_of_shown(text: &str, marks: &[Mark]) -> Option<usize> {
    let (end, _) = text.char_indices().nth(SHOWN)?;
    let within = marks.iter().find(|mark| mark.start < end && end < mark.end);
    Some(within.map_or(end, |mark| mark.start))
}

/// The weight of the heaviest word.
pub fn heaviest<'e>(explanations: impl IntoIterator<Item = &'e Explanation>) -> f64 {
    let marks = explanations
        .into_iter()
        .flat_map(|explained| explained.answer_words.iter().chain(&explained.reference_words));
    marks.map(|mark| mark.weight).fold(f64::MIN_POSITIVE, f64::max)
}

/// The distinct words of a class, by weight.
pub fn distinct<'m>(marks: impl IntoIterator<Item = &'m Mark>, class: Class) -> Vec<&'m Mark> {
    let mut marks: Vec<&Mark> = marks.into_iter().filter(|mark| mark.class == class).collect();
    marks.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    let mut known = HashSet::new();
    marks.retain(|mark| known.insert(mark.stem.as_str()));
    marks
}

/// What a word is to the judge.
pub fn name(l: Language, class: Class) -> &'static str {
    match class {
        Class::Shared => l.say("shared", "común"),
        Class::Missing => l.say("missing", "falta"),
        Class::Added => l.say("added", "añadida"),
        Class::Contradicts => l.say("contradicts", "contradice"),
        Class::Common => l.say("common", "corriente"),
    }
}

fn css(class: Class) -> &'static str {
    name(Language::English, class)
}

/// What the marks mean.
pub fn legend(l: Language) -> Markup {
    let classes = [Class::Shared, Class::Missing, Class::Added, Class::Contradicts];
    html! {
        p.legend.small {
            @for class in classes {
                mark class=(format!("{} t3", css(class))) {
                    @if class == Class::Contradicts { span.form aria-hidden="true" { "≠" } }
                    (name(l, class))
                }
                " "
            }
            (l.say(
                "unmarked: common, or in the question. The darker, the more a word counts.",
                "sin marca: corriente, o está en la pregunta. Cuanto más oscura, más cuenta la palabra.",
            ))
        }
    }
}

/// Every marked word once, heaviest first: the marks as a table.
pub fn words(l: Language, explained: &Explanation) -> Markup {
    let all = || explained.reference_words.iter().chain(&explained.answer_words);
    let classes = [Class::Contradicts, Class::Missing, Class::Added, Class::Shared];
    let total: f64 = classes
        .iter()
        .flat_map(|&class| distinct(all(), class))
        .map(|mark| mark.weight)
        .sum();
    html! {
        details {
            summary { (l.say("The marked words as a table", "Las palabras marcadas en una tabla")) }
            table {
                caption { (l.say("Each word once; the share is of the weight of them all.", "Cada palabra una vez; la parte es del peso de todas.")) }
                thead { tr {
                    th scope="col" { (l.say("Word", "Palabra")) }
                    th scope="col" { (l.say("Class", "Clase")) }
                    th.number scope="col" { (l.say("Weight", "Peso")) }
                    th.number scope="col" { (l.say("Share", "Parte")) }
                } }
                tbody {
                    @for class in classes {
                        @for mark in distinct(all(), class).into_iter().take(MOST_MARKED) {
                            tr {
                                th scope="row" dir="auto" { (visible(&mark.word)) }
                                td { (name(l, class)) }
                                td.number { (l.decimal(mark.weight, 1)) }
                                td.number { (l.percent(mark.weight / total)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
