//! What the model is sent: templates, filled with the question and, when it is asked again, its earlier answer.
//!
//! They are given nothing else, so neither the reference answer nor a score can slip in.

use std::fs;
use std::path::Path;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The names of the files of a template, in a folder of one's own as in `prompts/`.
const FILES: [&str; 3] = ["system.txt", "question.txt", "again.txt"];

/// What is sent for one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// What the model is to be; nothing of it comes from a question.
    pub system: String,
    /// The question, in the role of the user.
    pub user: String,
}

impl Prompt {
    /// Both in one text, for the record.
    #[must_use]
    pub fn text(&self) -> String {
        [self.system.as_str(), &self.user]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("\n\n")
    }

    /// A hash by which the same prompt is known again.
    #[must_use]
    pub fn hash(&self) -> String {
        hash(&[&self.system, &self.user])
    }
}

/// Templates with `{title}`, `{content}` and `{answer}`; a line that would be filled with nothing is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templates {
    system: String,
    question: String,
    again: String,
}

impl Templates {
    /// What changes whenever a word of the templates does.
    #[must_use]
    pub fn version(&self) -> String {
        hash(&[&self.system, &self.question, &self.again])
    }

    /// What the model is sent for a question and, when it answered before and that was not good enough, its answer.
    #[must_use]
    pub fn render(&self, title: &str, content: &str, earlier_answer: Option<&str>) -> Prompt {
        let fields = [
            ("{title}", title),
            ("{content}", content),
            ("{answer}", earlier_answer.unwrap_or_default()),
        ];
        let mut user = fill(&self.question, &fields);
        if earlier_answer.is_some() {
            user.push('\n');
            user.push_str(&fill(&self.again, &fields));
        }
        Prompt {
            system: self.system.trim().to_owned(),
            user,
        }
    }
}

impl FromStr for Templates {
    type Err = String;

    /// `en`, `es`, or a folder with [`FILES`].
    fn from_str(source: &str) -> Result<Self, String> {
        let [system, question, again] = match source {
            "en" => [
                include_str!("../prompts/en/system.txt"),
                include_str!("../prompts/en/question.txt"),
                include_str!("../prompts/en/again.txt"),
            ]
            .map(str::to_owned),
            "es" => [
                include_str!("../prompts/es/system.txt"),
                include_str!("../prompts/es/question.txt"),
                include_str!("../prompts/es/again.txt"),
            ]
            .map(str::to_owned),
            folder => read(Path::new(folder))?,
        };
        if !question.contains("{title}") {
            return Err("question.txt must have {title} where the question goes".into());
        }
        if !again.contains("{answer}") {
            return Err("again.txt must have {answer} where the earlier answer goes".into());
        }
        Ok(Self {
            system,
            question,
            again,
        })
    }
}

fn read(folder: &Path) -> Result<[String; 3], String> {
    let mut texts = FILES.map(|_| String::new());
    for (text, name) in texts.iter_mut().zip(FILES) {
        *text = fs::read_to_string(folder.join(name)).map_err(|problem| {
            format!("{name} cannot be read there ({problem}); allowed are en, es, or a folder with {FILES:?}")
        })?;
    }
    Ok(texts)
}

/// Fills a template line by line; what is filled in is never looked at again.
fn fill(template: &str, fields: &[(&str, &str)]) -> String {
    let lines = template.trim_end().lines().filter_map(|line| fill_line(line, fields));
    lines.collect::<Vec<_>>().join("\n")
}

/// A filled line; `None` when it has fields and all of them are empty.
fn fill_line(line: &str, fields: &[(&str, &str)]) -> Option<String> {
    let (mut filled, mut rest) = (String::new(), line);
    let (mut found, mut any) = (0, false);
    while let Some((at, (name, value))) = fields
        .iter()
        .filter_map(|field| Some((rest.find(field.0)?, field)))
        .min_by_key(|&(at, _)| at)
    {
        filled.push_str(&rest[..at]);
        filled.push_str(value);
        rest = &rest[at + name.len()..];
        found += 1;
        any |= !value.is_empty();
    }
    filled.push_str(rest);
    (found == 0 || any).then_some(filled)
}

/// The first 16 digits of a hash over texts, each told from the next.
pub(crate) fn hash(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english() -> Templates {
        "en".parse().unwrap()
    }

    #[test]
    fn a_first_attempt_shows_the_question_alone() {
        let prompt = english().render("Why is the sky blue?", "I mean at noon.", None);
        assert_eq!(prompt.user, "Question: Why is the sky blue?\nDetails: I mean at noon.");
        assert!(!prompt.system.contains("sky"));
    }

    #[test]
    fn empty_details_leave_no_trace() {
        assert_eq!(english().render("Why?", "", None).user, "Question: Why?");
    }

    #[test]
    fn a_regeneration_shows_the_earlier_answer_and_asks_for_a_better_one() {
        for (language, words) in [("en", "not good enough"), ("es", "no fue lo bastante buena")] {
            let templates: Templates = language.parse().unwrap();
            let again = templates.render("Why?", "", Some("Because of scattering.")).user;
            assert!(
                again.contains("Because of scattering.") && again.contains(words),
                "{again}"
            );
            assert!(again.starts_with(&templates.render("Why?", "", None).user));
        }
    }

    #[test]
    fn what_is_filled_in_is_not_filled_itself() {
        let prompt = english().render("{content}", "{answer} {title}", Some("{title}"));
        assert!(
            prompt
                .user
                .starts_with("Question: {content}\nDetails: {answer} {title}\n")
        );
        assert!(prompt.user.contains("before:\n{title}\n"));
    }

    #[test]
    fn templates_of_ones_own_are_read_from_a_folder_and_change_the_version() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in FILES.iter().zip(["Be brief.", "{title}", "No: {answer}"]) {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let own: Templates = folder.path().to_str().unwrap().parse().unwrap();
        assert_eq!(own.render("Why?", "", Some("So.")).user, "Why?\nNo: So.");
        assert_ne!(own.version(), english().version());
        fs::write(folder.path().join("question.txt"), "Why?").unwrap();
        let problem = folder.path().to_str().unwrap().parse::<Templates>().unwrap_err();
        assert!(problem.contains("{title}"), "{problem}");
        assert!("nowhere".parse::<Templates>().unwrap_err().contains("en, es"));
    }
}
