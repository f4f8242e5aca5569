//! What models cost.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::{Spanned, Value};

use crate::money::decimal;

/// Prices that come with the service, and when they held.
const SHIPPED: &str = include_str!("../prices.toml");
/// A dollar per million tokens is 1000 nanodollars a token: six digits after the point are whole thousandths of them.
const PLACES: usize = 6;
const THOUSANDTHS: u128 = 1000;
/// The dearest price that is believed, in dollars per million tokens.
const MAX_DOLLARS: u64 = 1_000_000;

/// Prices by model.
#[derive(Debug, Clone)]
pub struct Prices(BTreeMap<String, Price>);

/// What a model costs, in thousandths of a nanodollar a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    input: u64,
    output: u64,
}

impl Price {
    /// What so many tokens cost, in nanodollars; a broken one counts as a whole one.
    #[must_use]
    pub fn cost(self, input_tokens: u64, output_tokens: u64) -> u64 {
        let input = u128::from(self.input) * u128::from(input_tokens);
        let output = u128::from(self.output) * u128::from(output_tokens);
        u64::try_from((input + output).div_ceil(THOUSANDTHS)).unwrap_or(u64::MAX)
    }
}

impl Prices {
    /// The prices of a file, or those that come with the service.
    ///
    /// # Errors
    /// Which file cannot be used, and the model or the line that is wrong.
    pub fn load(file: Option<&Path>) -> Result<Self, String> {
        let Some(file) = file else { return Self::parse(SHIPPED) };
        fs::read_to_string(file)
            .map_err(|problem| problem.to_string())
            .and_then(|text| Self::parse(&text))
            .map_err(|problem| format!("LLM_PRICES={} cannot be used: {problem}", file.display()))
    }

    /// The price of a model, known by its name or by a version of it, such as `gpt-4o-mini-2024-07-18`.
    ///
    /// Other names that begin like a known one are other models, and may be dearer.
    #[must_use]
    pub fn of(&self, model: &str) -> Option<Price> {
        let ends = model.char_indices().filter(|&(_, c)| matches!(c, '-' | ':' | '@'));
        self.0.get(model).copied().or_else(|| {
            ends.filter(|&(end, _)| is_version(&model[end + 1..]))
                .filter_map(|(end, _)| self.0.get(&model[..end]).copied())
                .next_back()
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|problem| problem.to_string())?;
        let mut prices = BTreeMap::new();
        for entry in file.model {
            let price = Price {
                input: entry.price("input", &entry.input, text)?,
                output: entry.price("output", &entry.output, text)?,
            };
            if entry.name.is_empty() {
                return Err("a model has no name".into());
            }
            if prices.insert(entry.name.clone(), price).is_some() {
                return Err(format!("{} has two prices", entry.name));
            }
        }
        Ok(Self(prices))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    model: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    input: Spanned<Value>,
    output: Spanned<Value>,
    /// For people.
    #[serde(rename = "as_of")]
    _as_of: Option<String>,
}

impl Entry {
    /// A price, from its digits as they are written: no binary number is as exact.
    fn price(&self, field: &str, value: &Spanned<Value>, text: &str) -> Result<u64, String> {
        let Range { start, end } = value.span();
        let written = text.get(start..end).unwrap_or_default();
        let most = MAX_DOLLARS * 10_u64.pow(PLACES as u32);
        decimal(written, PLACES).filter(|&price| price <= most).ok_or_else(|| {
            format!(
                "{} has {field} = {written}; allowed are dollars per million tokens from 0 to {MAX_DOLLARS}, such as \
                 0.15, with at most {PLACES} digits after the point",
                self.name
            )
        })
    }
}

/// Whether this is what servers add to the name of a model to say which version of it: a date, or `latest`.
fn is_version(suffix: &str) -> bool {
    let is_date = suffix.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
        && suffix.bytes().filter(u8::is_ascii_digit).count() >= 4;
    suffix == "latest" || is_date
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prices(models: &[(&str, &str, &str)]) -> Result<Prices, String> {
        let lines = models
            .iter()
            .map(|(name, input, output)| format!("[[model]]\nname = \"{name}\"\ninput = {input}\noutput = {output}\n"));
        Prices::parse(&lines.collect::<String>())
    }

    #[test]
    fn the_shipped_prices_are_exact() {
        let price = Prices::load(None).unwrap().of("gpt-4o-mini").unwrap();
        assert_eq!(price.cost(1_000_000, 0), 150_000_000);
        assert_eq!(price.cost(0, 1_000_000), 600_000_000);
        assert_eq!(price.cost(3, 1), 1050);
    }

    #[test]
    fn part_of_a_nanodollar_costs_a_whole_one() {
        let price = prices(&[("a", "0.000001", "0.0015")]).unwrap().of("a").unwrap();
        assert_eq!([price.cost(1, 0), price.cost(1000, 0), price.cost(1001, 0)], [1, 1, 2]);
        assert_eq!(price.cost(0, 1), 2);
        assert_eq!(price.cost(0, 0), 0);
        assert_eq!(price.cost(u64::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn a_version_of_a_model_has_its_price() {
        let prices = prices(&[
            ("gpt-4o", "2", "3"),
            ("gpt-4o-mini", "1", "1"),
            ("gpt-4o-2024", "9", "9"),
        ])
        .unwrap();
        let cost = |model| prices.of(model).map(|price| price.cost(1, 0));
        for model in [
            "gpt-4o-mini",
            "gpt-4o-mini-2024-07-18",
            "gpt-4o-mini:latest",
            "gpt-4o-mini@20240718",
        ] {
            assert_eq!(cost(model), Some(1000), "{model}");
        }
        assert_eq!(cost("gpt-4o-20250101"), Some(2000));
        assert_eq!(cost("gpt-4o-2024-01-01"), Some(9000), "the longest name wins");
    }

    #[test]
    fn another_model_is_not_taken_for_one_that_is_known() {
        let prices = prices(&[("gpt-5", "1", "1")]).unwrap();
        for model in [
            "gpt-5-pro",
            "gpt-5.1",
            "gpt-5-5",
            "gpt-50",
            "gpt",
            "gpt-5-",
            "gpt-5-pro-2025-01-01",
            "é-5",
            "",
        ] {
            assert_eq!(prices.of(model), None, "{model}");
        }
    }

    #[test]
    fn a_price_that_cannot_be_used_is_refused_with_its_model() {
        for price in [
            "-0.1",
            "nan",
            "inf",
            "+1",
            "1e3",
            "1_000",
            "\"1\"",
            "0.0000001",
            "1000000.1",
            "0x10",
        ] {
            for (input, output) in [(price, "1"), ("1", price)] {
                let problem = prices(&[("a", "1", "1"), ("b-model", input, output)]).unwrap_err();
                assert!(
                    problem.contains("b-model") && problem.contains(price),
                    "{price}: {problem}"
                );
            }
        }
        let problem = prices(&[("twin", "1", "1"), ("twin", "1", "1")]).unwrap_err();
        assert!(problem.contains("twin"), "{problem}");
        assert!(prices(&[("", "1", "1")]).is_err());
        assert!(
            Prices::parse("[[model]]\nname = \"a\"\ninput = 1\noutptu = 1")
                .unwrap_err()
                .contains("outptu")
        );
    }

    #[test]
    fn prices_of_ones_own_take_the_place_of_the_shipped_ones() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("prices.toml");
        let problem = Prices::load(Some(&file)).unwrap_err();
        assert!(
            problem.starts_with("LLM_PRICES=") && problem.contains("prices.toml"),
            "{problem}"
        );
        fs::write(&file, "[[model]]\nname = \"own\"\ninput = 1\noutput = 2 # dear\n").unwrap();
        let prices = Prices::load(Some(&file)).unwrap();
        assert_eq!(prices.of("own").map(|price| price.cost(1, 1)), Some(3000));
        assert_eq!(prices.of("gpt-4o-mini"), None);
    }

    proptest! {
        #[test]
        fn a_cost_is_never_less_than_the_price_says_and_less_than_a_nanodollar_more(
            input in 0..=10_000_000_u64, output in 0..=10_000_000_u64, sent in 0..1_000_000_u64, received in 0..1_000_000_u64
        ) {
            let exact = u128::from(input) * u128::from(sent) + u128::from(output) * u128::from(received);
            let cost = u128::from(Price { input, output }.cost(sent, received)) * THOUSANDTHS;
            prop_assert!(cost >= exact && cost - exact < THOUSANDTHS);
        }
    }
}
