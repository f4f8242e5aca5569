//! Where a question stands in the list that led to it.

use maud::{Markup, html};

use super::View;
use crate::index::query::Query;
use crate::index::search::{self, Neighbours};
use crate::index::{Index, ReadError};
use crate::language::Language;

/// What stands before and after a question in the list that its address carries; nothing where it carries none.
pub async fn neighbours(index: &Index, view: &View) -> Result<Option<Neighbours>, ReadError> {
    let query = match Query::parse(&view.list, &[]) {
        Ok(query) if !view.list.is_empty() => query,
        _ => return Ok(None),
    };
    let id = view.id.clone();
    let found = index.read(move |connection| {
        let (query, _) = search::settle(connection, query)?;
        match search::key_of(connection, &id)? {
            Some(key) => search::neighbours(connection, &query, key),
            None => Ok(None),
        }
    });
    found.await
}

/// Links to the list and to the neighbours; nothing where no list led here.
pub fn links(l: Language, view: &View, neighbours: Option<&Neighbours>) -> Markup {
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
                @if let Some(previous) = neighbours.and_then(|beside| beside.previous.as_ref()) {
                    a.button rel="prev" href=(to(previous)) { "‹ " (l.say("Previous", "Anterior")) }
                }
                a.button href=(l.link(format!("/questions?{}", view.list))) { (l.say("The list", "La lista")) }
                @if let Some(place) = neighbours.and_then(|beside| Some((beside.place?, beside.of))) {
                    span.quiet { (l.count(place.0)) " " (l.say("of", "de")) " " (l.count(place.1)) }
                }
                @if let Some(next) = neighbours.and_then(|beside| beside.next.as_ref()) {
                    a.button rel="next" href=(to(next)) { (l.say("Next", "Siguiente")) " ›" }
                }
            }
        }
    }
}
