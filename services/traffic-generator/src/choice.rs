//! Which question is asked next, where no trace says so.

use rand::seq::SliceRandom as _;
use rand::{Rng, RngExt as _};
use rand_distr::Zipf;

use crate::traffic::{Popularity, Traffic};

/// How questions are drawn.
pub enum Choice {
    Uniform(usize),
    Zipf(Zipf<f64>),
    Each { questions: usize, left: Vec<usize> },
}

impl Choice {
    /// Draws from so many questions.
    ///
    /// # Errors
    /// When there is none.
    pub fn new(traffic: &Traffic, questions: usize) -> anyhow::Result<Self> {
        Ok(match traffic.traffic_popularity {
            Popularity::Uniform => Self::Uniform(questions),
            Popularity::Zipf => Self::Zipf(Zipf::new(questions as f64, traffic.traffic_zipf_exponent)?),
            Popularity::Each => Self::Each {
                questions,
                left: Vec::new(),
            },
        })
    }

    /// The index of a question.
    pub fn draw(&mut self, rng: &mut impl Rng) -> usize {
        match self {
            Self::Uniform(questions) => rng.random_range(0..*questions),
            Self::Zipf(zipf) => rng.sample(*zipf) as usize - 1,
            Self::Each { questions, left } => loop {
                if let Some(question) = left.pop() {
                    break question;
                }
                left.extend(0..*questions);
                left.shuffle(rng);
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha12Rng;

    use super::*;
    use crate::config::Config;

    fn draw(arguments: &[&str], questions: usize) -> impl Iterator<Item = usize> {
        let config = Config::try_parse_from(["test"].iter().chain(arguments)).unwrap();
        let mut choice = Choice::new(&config.traffic, questions).unwrap();
        let mut rng = ChaCha12Rng::seed_from_u64(7);
        std::iter::repeat_with(move || choice.draw(&mut rng))
    }

    fn counts(arguments: &[&str], questions: usize) -> Vec<u32> {
        let mut counts = vec![0; questions];
        draw(arguments, questions)
            .take(20_000)
            .for_each(|question| counts[question] += 1);
        counts
    }

    #[test]
    fn uniform_asks_all_questions_about_as_often() {
        let counts = counts(&["--traffic-popularity=uniform"], 100);
        assert!(counts.iter().all(|count| (120..280).contains(count)), "{counts:?}");
    }

    #[test]
    fn zipf_asks_the_first_question_as_much_more_often_as_its_exponent_says() {
        for (exponent, ratio) in [("0.5", 2.0), ("1", 4.0), ("1.5", 8.0)] {
            let popularity = format!("--traffic-zipf-exponent={exponent}");
            let counts = counts(&["--traffic-popularity=zipf", &popularity], 200);
            let measured = f64::from(counts[0]) / f64::from(counts[3]);
            assert!(
                (measured / ratio - 1.0).abs() < 0.2,
                "exponent {exponent}: a ratio of {measured}"
            );
        }
    }

    #[test]
    fn each_asks_every_question_once_before_any_is_asked_again() {
        let asked: Vec<usize> = draw(&["--traffic-popularity=each"], 10).take(30).collect();
        for round in asked.chunks(10) {
            let mut sorted = round.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(asked[..10], asked[10..20]);
    }
}
