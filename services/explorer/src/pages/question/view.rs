//! What the address of a question says: which question, of which list, and how it is shown.

use super::attempts::Attempt;
use crate::language::Language;
use crate::text::encoded;

/// The parameters of this page; all others belong to the list that led here, and are kept as they are.
const OWN: [&str; 4] = ["trail", "tab", "full", "marks"];

/// The address of a question, after its language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub id: String,
    /// The parameters of the list that led here; empty where none did.
    pub list: String,
    /// Whether the topics are read.
    pub trail: bool,
    /// The attempt that is shown; the kept one, if none is named.
    pub tab: Option<u32>,
    /// Whether long texts are unfolded.
    pub full: bool,
    pub marks: bool,
}

impl View {
    /// The address of `id` with these parameters.
    ///
    /// # Errors
    /// A parameter that cannot be used, and what is allowed.
    pub fn of(id: &str, parameters: &str) -> Result<Self, String> {
        let pairs = || {
            parameters
                .split('&')
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        };
        let value = |name: &str| pairs().find(|&(known, _)| known == name).map(|(_, value)| value);
        let flag = |name: &str, values: [&str; 2]| match value(name) {
            None => Ok(None),
            Some(value) if values.contains(&value) => Ok(Some(value == values[1])),
            Some(value) => Err(format!("{name}={value}: {} or {}", values[0], values[1])),
        };
        let tab = match value("tab").map(|tab| (tab, tab.parse())) {
            None => None,
            Some((_, Ok(number))) => Some(number),
            Some((tab, Err(_))) => return Err(format!("tab={tab}: 1, 2, 3 …")),
        };
        let of_list = pairs().filter(|(name, _)| !name.is_empty() && !OWN.contains(name));
        Ok(Self {
            id: id.to_owned(),
            list: of_list
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join("&"),
            trail: flag("trail", ["0", "1"])?.unwrap_or(false),
            tab,
            full: flag("full", ["0", "1"])?.unwrap_or(false),
            marks: flag("marks", ["off", "on"])?.unwrap_or(true),
        })
    }

    /// The address in a language; `below` it, such as `/label`.
    pub fn link(&self, l: Language, below: &str) -> String {
        let own = [
            self.trail.then(|| "trail=1".to_owned()),
            self.tab.map(|tab| format!("tab={tab}")),
            self.full.then(|| "full=1".to_owned()),
            (!self.marks).then(|| "marks=off".to_owned()),
        ];
        let list = Some(self.list.clone()).filter(|list| !list.is_empty());
        let parameters: Vec<String> = list.into_iter().chain(own.into_iter().flatten()).collect();
        let mark = if parameters.is_empty() { "" } else { "?" };
        l.link(format!("/q/{}{below}{mark}{}", encoded(&self.id), parameters.join("&")))
    }

    /// Where the texts of an attempt are shown; those that MongoDB lacks are read from the topics.
    pub fn of_attempt(&self, l: Language, attempt: &Attempt) -> String {
        let view = Self {
            tab: Some(attempt.number),
            trail: self.trail || attempt.text.is_none(),
            ..self.clone()
        };
        view.link(l, "")
    }

    /// The same with the topics read.
    pub fn with_trail(&self, l: Language) -> String {
        let trail = true;
        Self { trail, ..self.clone() }.link(l, "")
    }

    /// The same with the marks on or off.
    pub fn with_marks(&self, l: Language, marks: bool) -> String {
        Self { marks, ..self.clone() }.link(l, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_that_led_here_stays_in_the_address_as_it_was() {
        let view = View::of("a/b", "run=x%26y&trail=1&sort=score&tab=2&marks=off").unwrap();
        assert_eq!(view.list, "run=x%26y&sort=score");
        let l = Language::English;
        assert_eq!(
            view.link(l, ""),
            "/en/q/a%2Fb?run=x%26y&sort=score&trail=1&tab=2&marks=off"
        );
        assert_eq!(
            view.link(l, "/label"),
            "/en/q/a%2Fb/label?run=x%26y&sort=score&trail=1&tab=2&marks=off"
        );
        let plain = View::of("a", "").unwrap();
        assert_eq!(
            (plain.link(l, ""), plain.with_trail(l)),
            ("/en/q/a".into(), "/en/q/a?trail=1".into())
        );
        let other = Attempt {
            number: 1,
            ..Attempt::default()
        };
        assert_eq!(plain.of_attempt(l, &other), "/en/q/a?trail=1&tab=1");
    }

    #[test]
    fn what_cannot_be_used_is_named_with_what_is_allowed() {
        for (parameters, told) in [
            ("tab=x", "tab=x: 1, 2, 3 …"),
            ("trail=yes", "trail=yes: 0 or 1"),
            ("marks=1", "marks=1: off or on"),
        ] {
            assert_eq!(View::of("a", parameters).unwrap_err(), told);
        }
    }
}
