//! A sitting, as its address has it: the draw, and what was said of each case so far.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::draw::{Draw, MOST_CASES};
use crate::language::Language;
use crate::store::labels::Chosen;
use crate::text::encoded;

/// How much of an answer's name tells it from the others of a sitting.
const NAME: usize = 16;
/// How many cases a sitting has, if nobody says.
const COUNT: usize = 100;
/// Which draw, if nobody says, and the largest; both as in `make label`.
const SEED: u64 = 1;
const MOST_SEED: u64 = 1 << 63;

/// What was said of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    Yes,
    No,
    Skipped,
}

/// A sitting. The same address is the same sitting, on whatever machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sitting {
    pub draw: Draw,
    /// How many cases it is to have.
    pub count: usize,
    /// The cases so far, each by the beginning of its name.
    pub said: Vec<(String, Said)>,
    /// Cases whose label was taken back: their verdicts have been seen.
    pub seen: Vec<String>,
    /// The case to be shown, where it is not the draw's next.
    pub case: Option<String>,
}

/// The parameters of the address.
#[derive(Debug, Default, Deserialize)]
pub struct Parameters {
    draw: Option<String>,
    seed: Option<String>,
    run: Option<String>,
    count: Option<String>,
    said: Option<String>,
    seen: Option<String>,
    case: Option<String>,
}

impl Said {
    fn letter(self) -> char {
        match self {
            Self::Yes => 'y',
            Self::No => 'n',
            Self::Skipped => 's',
        }
    }

    fn of(letter: &str) -> Option<Self> {
        [Self::Yes, Self::No, Self::Skipped]
            .into_iter()
            .find(|said| letter.chars().eq([said.letter()]))
    }
}

impl Sitting {
    /// The sitting of an address.
    ///
    /// # Errors
    /// A parameter that cannot be used, and what is allowed.
    pub fn of(parameters: Parameters) -> Result<Self, String> {
        let Parameters {
            draw,
            seed,
            run,
            count,
            said,
            seen,
            case,
        } = parameters;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let chosen = match given(draw).as_deref() {
            None | Some("random") => Chosen::Random,
            Some("unsure") => Chosen::Unsure,
            Some(other) => return Err(format!("draw={other}: random, unsure")),
        };
        let seed = given(seed).map_or(Ok(SEED), |seed| {
            let number = seed.parse().ok().filter(|number| *number <= MOST_SEED);
            number.ok_or_else(|| format!("seed={seed}: a whole number from 0 to {MOST_SEED}"))
        })?;
        let most = 1..=MOST_CASES;
        let count = given(count).map_or(Ok(COUNT), |count| {
            let number = count.parse().ok().filter(|number| most.contains(number));
            number.ok_or_else(|| format!("count={count}: 1 to {MOST_CASES}"))
        })?;
        let name = |name: &str| -> Result<String, String> {
            let is_name = name.len() == NAME && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_name
                .then(|| name.to_owned())
                .ok_or_else(|| format!("{name}: {NAME} hexadecimal digits of an answer"))
        };
        let names = |names: Option<String>| -> Vec<String> {
            given(names).map_or(vec![], |names| names.split('.').map(str::to_owned).collect())
        };
        let said = names(said).into_iter().map(|token: String| {
            let (case, letter) = token.split_at_checked(NAME).unwrap_or((&token, ""));
            let said = Said::of(letter).ok_or_else(|| format!("said={token}: an answer, and y, n or s"))?;
            Ok((name(case)?, said))
        });
        Ok(Self {
            draw: Draw {
                chosen,
                seed,
                run: given(run),
            },
            count,
            said: said.collect::<Result<_, String>>()?,
            seen: names(seen).iter().map(|seen| name(seen)).collect::<Result<_, _>>()?,
            case: given(case).map(|case| name(&case)).transpose()?,
        })
    }

    /// How many have a label.
    pub fn labelled(&self) -> usize {
        self.said.iter().filter(|(_, said)| *said != Said::Skipped).count()
    }

    /// Whether the verdict on an answer was shown in this sitting.
    pub fn has_seen(&self, answer: &str) -> bool {
        let labelled = self
            .said
            .iter()
            .filter(|(_, said)| *said != Said::Skipped)
            .map(|(case, _)| case);
        labelled.chain(&self.seen).any(|case| answer.starts_with(case.as_str()))
    }

    /// The sitting after something was said of an answer; said twice, the later holds.
    pub fn after(mut self, answer: &str, what: Said) -> Self {
        let case = answer.get(..NAME).unwrap_or(answer).to_owned();
        self.said.retain(|(known, _)| *known != case);
        self.said.push((case, what));
        self.case = None;
        self
    }

    /// The sitting before the last case, which is shown again.
    pub fn before_last(mut self) -> Self {
        if let Some((case, said)) = self.said.pop() {
            if said != Said::Skipped && !self.seen.contains(&case) {
                self.seen.push(case.clone());
            }
            self.case = Some(case);
        }
        self
    }

    /// A further sitting of the same draw. Verdicts that were shown stay so.
    pub fn again(&self) -> Self {
        Self {
            said: vec![],
            case: None,
            ..self.clone()
        }
    }

    /// Its address.
    pub fn link(&self, l: Language) -> String {
        let Draw { chosen, seed, run } = &self.draw;
        let chosen = if *chosen == Chosen::Unsure { "unsure" } else { "random" };
        let mut link = l.link(format!("/label?draw={chosen}&seed={seed}&count={}", self.count));
        let said: Vec<String> = self
            .said
            .iter()
            .map(|(case, said)| format!("{case}{}", said.letter()))
            .collect();
        for (name, value) in [
            ("run", run.as_deref().map(encoded)),
            ("said", Some(said.join("."))),
            ("seen", Some(self.seen.join("."))),
            ("case", self.case.clone()),
        ] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                // Writing to a string never fails.
                let _ = write!(link, "&{name}={value}");
            }
        }
        link
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "a8d1a4a038c7c4a5d4e31c4ad6da9f68";
    const OTHER: &str = "0123456789abcdef0123456789abcdef";

    fn of(query: &str) -> Result<Sitting, String> {
        let uri = format!("/label?{query}").parse().unwrap();
        Sitting::of(axum::extract::Query::try_from_uri(&uri).unwrap().0)
    }

    #[test]
    fn the_address_is_the_whole_sitting() {
        let begun = of("draw=unsure&seed=7&run=demo%203&count=20").unwrap();
        let later = begun.clone().after(ONE, Said::Yes).after(OTHER, Said::Skipped);
        let link = later.link(Language::English);
        assert_eq!(
            link,
            "/en/label?draw=unsure&seed=7&count=20&run=demo%203&said=a8d1a4a038c7c4a5y.0123456789abcdefs"
        );
        assert_eq!(of(link.split_once('?').unwrap().1).unwrap(), later);
        assert_eq!(
            (later.labelled(), later.has_seen(ONE), later.has_seen(OTHER)),
            (1, true, false)
        );
        assert_eq!(
            of("").unwrap().link(Language::Spanish),
            "/es/label?draw=random&seed=1&count=100"
        );
    }

    #[test]
    fn undo_reaches_back_through_the_whole_sitting_and_remembers_what_was_seen() {
        let begun = of("").unwrap();
        let later = begun.clone().after(ONE, Said::No).after(OTHER, Said::Skipped);
        let back = later.before_last();
        assert_eq!((back.case.as_deref(), back.seen.len()), (Some(&OTHER[..16]), 0));
        let back = back.before_last();
        assert_eq!((back.case.as_deref(), back.said.len()), (Some(&ONE[..16]), 0));
        assert!(back.has_seen(ONE));
        assert_eq!(
            of(back.link(Language::English).split_once('?').unwrap().1).unwrap(),
            back
        );
        assert_eq!(begun.clone().before_last(), begun);
    }

    #[test]
    fn a_case_said_twice_is_one_case() {
        let sitting = of("").unwrap().after(ONE, Said::No).after(ONE, Said::Yes);
        assert_eq!(sitting.said, [(ONE[..16].to_owned(), Said::Yes)]);
    }

    #[test]
    fn what_cannot_be_used_is_named_with_what_is_allowed() {
        for (query, told) in [
            ("draw=worst", "draw=worst: random, unsure"),
            ("seed=-7", "seed=-7: a whole number from 0 to 9223372036854775808"),
            ("count=501", "count=501: 1 to 500"),
            (
                "said=a8d1a4a038c7c4a5z",
                "said=a8d1a4a038c7c4a5z: an answer, and y, n or s",
            ),
            ("case=ñ", "ñ: 16 hexadecimal digits of an answer"),
        ] {
            assert_eq!(of(query).unwrap_err(), told);
        }
    }
}
