//! Where a question stands in the list that led to it.

use maud::{Markup, html};

use super::View;
use crate::language::Language;

/// The questions before and after this one in the list that the address carries (`View::list`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Neighbours {
    pub previous: Option<String>,
    pub next: Option<String>,
}

/// Links to the list and to the neighbours; nothing where no list led here.
pub fn links(l: Language, view: &View, neighbours: &Neighbours) -> Markup {
    let to = |id: &String| {
        let view = View {
            id: id.clone(),
            trail: false,
            tab: None,
            ..view.clone()
        };
        view.link(l, "")
    };
    html! {
        @if !view.list.is_empty() {
            nav.walk aria-label=(l.say("List", "Lista")) {
                @if let Some(previous) = &neighbours.previous {
                    a.button rel="prev" href=(to(previous)) { "‹ " (l.say("Previous", "Anterior")) }
                }
                a.button href=(l.link(format!("/questions?{}", view.list))) { (l.say("The list", "La lista")) }
                @if let Some(next) = &neighbours.next {
                    a.button rel="next" href=(to(next)) { (l.say("Next", "Siguiente")) " ›" }
                }
            }
        }
    }
}
