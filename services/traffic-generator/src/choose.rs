//! Which questions a run would ask, without asking any.

use std::io::Write;

use crate::arrivals::Arrivals;
use crate::identity::Run;
use crate::source::QuestionId;
use crate::traffic::Traffic;

/// Writes the numbers of the questions that a run asks of so many, in their order, one a line.
///
/// # Errors
/// What cannot be written, or a trace, which names its own.
pub fn choose(traffic: &Traffic, questions: u32, mut output: impl Write) -> anyhow::Result<()> {
    let ids: Vec<QuestionId> = (0..questions).map(QuestionId::from).collect();
    for arrival in Arrivals::new(traffic, Run::new(traffic).seed, &ids)? {
        writeln!(output, "{}", arrival.question)?;
    }
    Ok(output.flush()?)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::config::Config;

    fn chosen(arguments: &[&str]) -> Vec<u32> {
        let config = Config::try_parse_from(["test"].iter().chain(arguments)).unwrap();
        let mut output = Vec::new();
        choose(&config.traffic, 1000, &mut output).unwrap();
        let text = String::from_utf8(output).unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    #[test]
    fn it_prints_what_a_run_of_the_same_seed_asks_whenever_it_asks() {
        let zipf = ["--traffic-popularity=zipf", "--traffic-total=500", "--traffic-seed=3"];
        let config = Config::try_parse_from(["test"].iter().chain(&zipf)).unwrap();
        let ids: Vec<QuestionId> = (0..1000).map(|id| 7 * id).collect();
        let asked = Arrivals::new(&config.traffic, 3, &ids).unwrap();
        let asked: Vec<u32> = asked.map(|arrival| u32::try_from(arrival.question).unwrap()).collect();
        assert_eq!(asked.len(), 500);
        assert_eq!(chosen(&zipf), asked);
        let steady = [&zipf[..], &["--traffic-distribution=constant", "--traffic-rate=1"]].concat();
        assert_eq!(chosen(&steady), asked);
        assert_ne!(chosen(&[zipf[0], zipf[1], "--traffic-seed=4"]), asked);
    }
}
