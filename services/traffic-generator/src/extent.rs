//! How long a run is: what its settings and its trace allow together.

use crate::traffic::Traffic;

/// How many questions are asked when nothing says how many.
const USUAL_TOTAL: u64 = 200;

/// How long a run is.
#[derive(Debug, Clone, PartialEq)]
pub struct Extent {
    /// How many questions it asks.
    pub questions: u64,
    /// What whoever ordered it may not expect, in a sentence.
    pub note: Option<String>,
}

impl Extent {
    /// How long the run is that `traffic` describes.
    pub fn of(traffic: &Traffic) -> Self {
        let total = traffic.traffic_total;
        let Some(trace) = traffic.trace() else {
            return Self {
                questions: total.unwrap_or(USUAL_TOTAL),
                note: None,
            };
        };
        let recorded = trace.len() as u64;
        let questions = total.map_or(recorded, |total| total.min(recorded));
        let note = total.and_then(|total| match total {
            _ if total < recorded => Some(format!(
                "TRAFFIC_TOTAL={total} leaves out the last {} of the trace's {recorded} questions",
                recorded - total
            )),
            _ if total > recorded => Some(format!(
                "the trace ends after {recorded} questions, before TRAFFIC_TOTAL={total}"
            )),
            _ => None,
        });
        Self { questions, note }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::config::Config;
    use crate::trace::Recorded;
    use crate::traffic::Distribution;

    fn extent(arguments: &[&str], trace: Option<Vec<Recorded>>) -> Extent {
        let mut traffic = Config::parse_from(["test"].iter().chain(arguments)).traffic;
        traffic.traffic_distribution = trace.map_or(Distribution::Poisson, Distribution::Trace);
        Extent::of(&traffic)
    }

    #[test]
    fn a_run_asks_the_whole_trace_unless_a_total_says_otherwise_and_200_questions_without_any() {
        let recorded = |line: u32| Recorded {
            at: line.into(),
            question: None,
            line: line.into(),
        };
        let trace = || Some((0..300).map(recorded).collect());
        for (arguments, trace, questions, note) in [
            (&[][..], None, 200, None),
            (&["--traffic-total=5"], None, 5, None),
            (&[], trace(), 300, None),
            (&["--traffic-total=300"], trace(), 300, None),
            (
                &["--traffic-total=100"],
                trace(),
                100,
                Some("TRAFFIC_TOTAL=100 leaves out the last 200 of the trace's 300 questions"),
            ),
            (
                &["--traffic-total=500"],
                trace(),
                300,
                Some("the trace ends after 300 questions, before TRAFFIC_TOTAL=500"),
            ),
        ] {
            let extent = extent(arguments, trace);
            assert_eq!((extent.questions, extent.note.as_deref()), (questions, note));
        }
    }
}
