//! What the model is sent.

/// Names the template below; to be changed with it.
pub const PROMPT_VERSION: &str = "1";

/// Renders what the model is sent: the question and, when it answered before and that was
/// not good enough, its earlier answer.
///
/// It is given nothing else, so neither the reference answer nor a score can slip in.
#[must_use]
pub fn render(title: &str, content: &str, earlier_answer: Option<&str>) -> String {
    let mut prompt = String::from(
        "Answer the question below from general knowledge, as a helpful person would: \
         one paragraph of 40 to 120 words, plain text, no greeting.\n\n",
    );
    prompt.push_str("Question: ");
    prompt.push_str(title);
    if !content.is_empty() {
        prompt.push_str("\nDetails: ");
        prompt.push_str(content);
    }
    if let Some(answer) = earlier_answer {
        prompt.push_str("\n\nYou have answered this question before:\n");
        prompt.push_str(answer);
        prompt.push_str(
            "\n\nThat answer was not good enough. Give a better one: mend what is wrong, \
             add what is missing, and leave out what does not help.",
        );
    }
    prompt
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn a_first_attempt_shows_the_question_alone() {
        let prompt = render("Why is the sky blue?", "I mean at noon.", None);
        assert!(
            prompt.ends_with("Question: Why is the sky blue?\nDetails: I mean at noon."),
            "{prompt}"
        );
    }

    #[test]
    fn empty_details_leave_no_trace() {
        assert!(render("Why?", "", None).ends_with("Question: Why?"));
    }

    #[test]
    fn a_regeneration_shows_the_earlier_answer_and_asks_for_a_better_one() {
        let prompt = render("Why?", "", Some("Because of scattering."));
        assert!(prompt.contains("Because of scattering."));
        assert!(prompt.contains("not good enough"));
        assert_ne!(prompt, render("Why?", "", None));
    }
}
