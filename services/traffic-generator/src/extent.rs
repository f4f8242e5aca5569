//! How long a run is: what its settings and its trace allow together.

use crate::trace::Recorded;
use crate::traffic::Traffic;

/// How many questions are asked when nothing says how many.
const USUAL_TOTAL: u64 = 200;

/// How long a run is.
#[derive(Debug, Clone, PartialEq)]
pub struct Extent {
    /// The most questions that it asks.
    pub most: u64,
    /// By when all are due, in seconds from its start.
    pub seconds: f64,
    /// How many it asks; about as many where the seconds end it and the times are drawn; none where only the seconds
    /// end it, and askers wait for outcomes.
    pub planned: Option<u64>,
    /// What whoever ordered it may not expect, in a sentence.
    pub note: Option<String>,
}

impl Extent {
    /// How long the run is that `traffic` describes.
    pub fn of(traffic: &Traffic) -> Self {
        let seconds = traffic.traffic_duration.map_or(f64::INFINITY, |end| end.as_secs_f64());
        if let Some(trace) = traffic.trace() {
            return Self::of_trace(traffic, trace, seconds);
        }
        let usual = || traffic.traffic_duration.map_or(USUAL_TOTAL, |_| u64::MAX);
        let most = traffic.traffic_total.unwrap_or_else(usual);
        let planned = if traffic.askers().is_some() {
            (most < u64::MAX).then_some(most)
        } else {
            let mean = traffic.traffic_rate * traffic.traffic_profile.cumulative(1.0);
            // A number that is too large becomes the largest.
            Some(most.min((mean * seconds).round() as u64))
        };
        Self {
            most,
            seconds,
            planned,
            note: None,
        }
    }

    fn of_trace(traffic: &Traffic, trace: &[Recorded], seconds: f64) -> Self {
        let in_time = trace.partition_point(|recorded| recorded.at / traffic.traffic_speed < seconds) as u64;
        let recorded = trace.len() as u64;
        let total = traffic.traffic_total.unwrap_or(recorded);
        let most = total.min(in_time);
        let duration = humantime::format_duration(traffic.traffic_duration.unwrap_or_default());
        let note = if most < recorded {
            let limit = if total <= in_time {
                format!("TRAFFIC_TOTAL={total}")
            } else {
                format!("TRAFFIC_DURATION={duration}")
            };
            let left_out = recorded - most;
            Some(format!(
                "{limit} leaves out the last {left_out} of the trace's {recorded} questions"
            ))
        } else {
            (total > recorded)
                .then(|| format!("the trace ends after {recorded} questions, before TRAFFIC_TOTAL={total}"))
        };
        Self {
            most,
            seconds,
            planned: Some(most),
            note,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::config::Config;
    use crate::traffic::Distribution;

    fn extent(arguments: &str, trace: bool) -> Extent {
        let recorded = |line: u32| Recorded {
            at: line.into(),
            question: None,
            line: line.into(),
        };
        let arguments = arguments
            .split_whitespace()
            .map(|argument| format!("--traffic-{argument}"));
        let mut traffic = Config::parse_from(std::iter::once("test".into()).chain(arguments)).traffic;
        if trace {
            traffic.traffic_distribution = Distribution::Trace((0..300).map(recorded).collect());
        }
        Extent::of(&traffic)
    }

    #[test]
    fn a_run_asks_the_whole_trace_and_says_what_a_total_or_a_duration_leaves_out() {
        for (arguments, questions, note) in [
            ("", 300, ""),
            ("total=300 duration=300s", 300, ""),
            (
                "total=100 duration=100s",
                100,
                "TRAFFIC_TOTAL=100 leaves out the last 200 of the trace's 300 questions",
            ),
            (
                "total=500",
                300,
                "the trace ends after 300 questions, before TRAFFIC_TOTAL=500",
            ),
            (
                "total=500 duration=25s speed=10",
                250,
                "TRAFFIC_DURATION=25s leaves out the last 50 of the trace's 300 questions",
            ),
        ] {
            let extent = extent(arguments, true);
            let said = (extent.most, extent.planned, extent.note.unwrap_or_default());
            assert_eq!(said, (questions, Some(questions), note.to_owned()), "{arguments}");
        }
    }

    #[test]
    fn without_a_trace_200_questions_are_asked_unless_a_total_or_a_duration_says_otherwise() {
        for (arguments, most, planned) in [
            ("", 200, Some(200)),
            ("total=5", 5, Some(5)),
            ("duration=1m", u64::MAX, Some(1200)),
            ("duration=1m rate=2 profile=ramp=0-1", u64::MAX, Some(60)),
            ("duration=1m total=1000", 1000, Some(1000)),
            ("duration=1m total=2000", 2000, Some(1200)),
            ("distribution=closed", 200, Some(200)),
            ("distribution=closed duration=1m", u64::MAX, None),
            ("distribution=closed duration=1m total=5000", 5000, Some(5000)),
        ] {
            let extent = extent(arguments, false);
            assert_eq!((extent.most, extent.planned), (most, planned), "{arguments}");
        }
    }
}
