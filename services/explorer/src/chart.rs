//! Lines over the last hour, as SVG. A chart is numbers and words that it is given; it knows no language.

use maud::{Markup, html};

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 132.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 350.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 108.0;
/// A line is drawn with no more points than can be told apart.
const STRETCHES: f64 = 240.0;

/// How the vertical axis grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    Linear,
    Log,
}

/// A line, and what is said of it.
#[derive(Debug)]
pub struct Line<'a> {
    /// What it is.
    pub name: &'a str,
    /// What is seen on it.
    pub finding: &'a str,
    /// In which color: a class of the style sheet.
    pub color: &'a str,
    pub scale: Scale,
    /// How many seconds the horizontal axis goes back, and its marks: so many seconds ago, and what that is called.
    pub back: f64,
    pub marks: &'a [(f64, String)],
    /// How a number of the vertical axis is written.
    pub number: fn(f64) -> String,
    /// When, in seconds, and how much, the oldest first; `None` breaks the line.
    pub points: &'a [(f64, Option<f64>)],
    /// When the right edge is.
    pub now: f64,
}

/// A range of the vertical axis, with its marks.
#[derive(Debug, PartialEq)]
struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    marks: Vec<f64>,
}

impl Line<'_> {
    /// Draws it, with its finding above.
    pub fn draw(&self) -> Markup {
        let axis = Axis::of(self.scale, self.points.iter().filter_map(|(_, value)| *value));
        html! {
            figure class="chart" {
                figcaption { strong { (self.name) } " " span class="quiet" { (self.finding) } }
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" {
                    title { (self.name) ": " (self.finding) }
                    g stroke="currentColor" stroke-opacity="0.18" {
                        @for mark in &axis.marks { line x1=(LEFT) x2=(RIGHT) y1=(round(axis.y(*mark))) y2=(round(axis.y(*mark))) {} }
                    }
                    g fill="currentColor" fill-opacity="0.75" font-size="11" {
                        @for mark in &axis.marks {
                            text x=(LEFT - 6.0) y=(round(axis.y(*mark) + 4.0)) text-anchor="end" { ((self.number)(*mark)) }
                        }
                        @for (ago, name) in self.marks {
                            text x=(round(self.x(*ago))) y=(HEIGHT - 8.0) text-anchor=(if *ago == 0.0 { "end" } else { "middle" }) { (name) }
                        }
                    }
                    path class=(self.color) d=(self.path(&axis)) fill="none" stroke="currentColor" stroke-width="1.75" stroke-linejoin="round" stroke-linecap="round" {}
                }
            }
        }
    }

    fn x(&self, ago: f64) -> f64 {
        RIGHT - (RIGHT - LEFT) * (ago / self.back).clamp(0.0, 1.0)
    }

    fn path(&self, axis: &Axis) -> String {
        let mut path = String::new();
        let mut is_down = false;
        for (at, value) in thinned(self.points, self.now - self.back, self.back / STRETCHES) {
            if let Some(value) = value {
                let (x, y) = (round(self.x(self.now - at)), round(axis.y(value)));
                // A point alone is a dot: a line to itself.
                let step = if is_down {
                    format!("L{x} {y}")
                } else {
                    format!("M{x} {y}h0")
                };
                path.push_str(&step);
            }
            is_down = value.is_some();
        }
        path
    }
}

impl Axis {
    fn of(scale: Scale, values: impl Iterator<Item = f64> + Clone) -> Self {
        let high = values.clone().fold(0.0, f64::max);
        match scale {
            Scale::Linear => {
                let high = nice(high);
                Self {
                    scale,
                    low: 0.0,
                    high,
                    marks: vec![0.0, high / 2.0, high],
                }
            }
            Scale::Log => {
                let low = values
                    .map(at_least_one)
                    .fold(f64::INFINITY, f64::min)
                    .min(high.max(1.0));
                let (first, last) = (low.log10().floor(), at_least_one(high).log10().ceil());
                let last = last.max(first + 1.0);
                let marks = (first as i32..=last as i32).map(|power| 10_f64.powi(power)).collect();
                Self {
                    scale,
                    low: 10_f64.powf(first),
                    high: 10_f64.powf(last),
                    marks,
                }
            }
        }
    }

    fn y(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (at_least_one(value) / self.low).log10() / (self.high / self.low).log10(),
        };
        BOTTOM - (BOTTOM - TOP) * share.clamp(0.0, 1.0)
    }
}

/// A logarithm needs something above nothing: one millisecond is as good as none.
fn at_least_one(value: f64) -> f64 {
    value.max(1.0)
}

/// The next number whose half is short as well.
fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    steps
        .into_iter()
        .map(|step| step * power)
        .find(|&nice| nice >= value)
        .unwrap_or(value)
        .max(2.0)
}

fn round(coordinate: f64) -> f64 {
    (coordinate * 10.0).round() / 10.0
}

/// Of the points of each stretch the highest: what stood out still does. Stretches are those of the clock, so that a
/// point stays where it is while time goes on.
fn thinned(points: &[(f64, Option<f64>)], from: f64, stretch: f64) -> Vec<(f64, Option<f64>)> {
    let first = points.partition_point(|(at, _)| *at < from);
    let same = |(one, _): &(f64, _), (other, _): &(f64, _)| (one / stretch).floor() == (other / stretch).floor();
    let highest = |points: &[(f64, Option<f64>)]| {
        let value = points.iter().filter_map(|(_, value)| *value).reduce(f64::max);
        points.last().map(|(at, _)| (*at, value))
    };
    points[first..].chunk_by(same).filter_map(highest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(points: &[(f64, Option<f64>)], scale: Scale) -> String {
        let marks = [(3600.0, "−60 min".to_owned()), (0.0, "now".to_owned())];
        let number = |number| format!("{number}");
        let line = Line {
            name: "Waiting",
            finding: "<b>1</b>",
            color: "first",
            scale,
            back: 3600.0,
            marks: &marks,
            number,
            points,
            now: 7200.0,
        };
        line.draw().into_string()
    }

    fn path(svg: &str) -> &str {
        svg.split("d=\"").nth(1).unwrap().split('"').next().unwrap()
    }

    #[test]
    fn a_line_goes_from_the_left_edge_to_the_right_and_from_nothing_to_the_highest_mark() {
        let svg = line(
            &[(3600.0, Some(0.0)), (5400.0, Some(40.0)), (7200.0, Some(20.0))],
            Scale::Linear,
        );
        assert_eq!(path(&svg), "M44 108h0L197 10L350 59");
        for mark in [">0<", ">20<", ">40<"] {
            assert!(svg.contains(mark), "{mark}: {svg}");
        }
    }

    #[test]
    fn what_is_not_known_breaks_the_line() {
        let svg = line(
            &[
                (7110.0, Some(1.0)),
                (7140.0, None),
                (7170.0, Some(1.0)),
                (7200.0, Some(1.0)),
            ],
            Scale::Linear,
        );
        assert_eq!(path(&svg).matches('M').count(), 2);
        assert_eq!(path(&svg).matches('L').count(), 1);
    }

    #[test]
    fn equal_factors_are_equal_heights_on_a_logarithmic_axis() {
        let axis = Axis::of(Scale::Log, [20.0, 900.0].into_iter());
        assert_eq!(axis.marks, [10.0, 100.0, 1000.0]);
        assert!((axis.y(10.0) - axis.y(100.0) - (axis.y(100.0) - axis.y(1000.0))).abs() < 1e-9);
        assert_eq!((axis.y(0.0), axis.y(5000.0)), (BOTTOM, TOP));
    }

    #[test]
    fn without_numbers_there_are_axes() {
        for scale in [Scale::Linear, Scale::Log] {
            let svg = line(&[], scale);
            assert!(
                path(&svg).is_empty() && svg.contains("−60 min") && !svg.contains("NaN") && !svg.contains("inf"),
                "{svg}"
            );
        }
    }

    #[test]
    fn words_are_escaped_and_the_title_has_them() {
        let svg = line(&[], Scale::Linear);
        assert!(
            svg.contains("<title>Waiting: &lt;b&gt;1&lt;/b&gt;</title>") && !svg.contains("<b>"),
            "{svg}"
        );
        assert!(svg.contains("role=\"img\"") && !svg.contains("style="));
    }

    #[test]
    fn of_many_points_the_ones_that_stand_out_are_drawn() {
        let mut points: Vec<_> = (0..720)
            .map(|place| (3600.0 + 5.0 * f64::from(place), Some(1.0)))
            .collect();
        points[100].1 = Some(99.0);
        let thin = thinned(&points, 3600.0, 15.0);
        assert_eq!(thin.len(), 240);
        assert_eq!(thin.iter().filter(|(_, value)| *value == Some(99.0)).count(), 1);
        // Five seconds later all but the first and the last are the same.
        points.remove(0);
        points.push((7200.0, Some(1.0)));
        assert_eq!(thinned(&points, 3605.0, 15.0)[1..240], thin[1..]);
    }

    #[test]
    fn the_highest_mark_is_a_short_number_above_all() {
        assert_eq!(
            [0.0, 1.0, 3.0, 41.0, 100.0, 812.0].map(nice),
            [2.0, 2.0, 4.0, 60.0, 100.0, 1000.0]
        );
    }
}
