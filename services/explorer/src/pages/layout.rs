//! What all pages share: the frame, and how a problem is shown.

use std::fmt::Display;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::index::ReadError;
use crate::language::Language;
use crate::store::StoreError;

/// The pages that every page leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Now,
    Questions,
    Label,
    Compare,
}

impl Section {
    const ALL: [Self; 4] = [Self::Now, Self::Questions, Self::Label, Self::Compare];

    fn path(self) -> &'static str {
        match self {
            Self::Now => "",
            Self::Questions => "/questions",
            Self::Label => "/label",
            Self::Compare => "/compare",
        }
    }

    fn name(self, language: Language) -> &'static str {
        match self {
            Self::Now => language.say("Now", "Ahora"),
            Self::Questions => language.say("Questions", "Preguntas"),
            Self::Label => language.say("Label", "Etiquetar"),
            Self::Compare => language.say("Compare", "Comparar"),
        }
    }

    /// The key that leads there, after `g`.
    fn key(self) -> &'static str {
        match self {
            Self::Now => "n",
            Self::Questions => "q",
            Self::Label => "l",
            Self::Compare => "c",
        }
    }
}

/// The address that was asked for, whole: what a nested route is handed lacks the language.
#[derive(Debug, Clone)]
pub struct Asked(pub String);

/// A request for a page: in which language, and which page.
#[derive(Debug, Clone)]
pub struct Visit {
    pub language: Language,
    /// The address after the language, with what follows the question mark.
    pub address: String,
}

impl Visit {
    fn of(address: &str) -> Option<Self> {
        let (code, rest) = address.strip_prefix('/')?.split_at_checked(2)?;
        Some(Self {
            language: Language::of(code)?,
            address: rest.to_owned(),
        })
    }

    /// A page with this title and content.
    pub fn page(&self, section: Section, title: &str, content: &Markup) -> Markup {
        let Self { language, address } = self;
        let l = *language;
        html! {
            (DOCTYPE)
            html lang=(l) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (title) " · Cotejo" }
                    link rel="stylesheet" href="/static/explorer.css";
                    link rel="icon" href="data:,";
                    script src="/static/explorer.js" defer {}
                }
                body {
                    a.skip href="#content" { (l.say("To the content", "Al contenido")) }
                    header {
                        a.brand href=(l.link("")) { "Cotejo" }
                        nav aria-label=(l.say("Pages", "Páginas")) {
                            @for to in Section::ALL {
                                a href=(l.link(to.path())) aria-current=[(to == section).then_some("page")] data-go=(to.key()) {
                                    (to.name(l))
                                }
                            }
                        }
                        div.tools {
                            @for other in Language::ALL {
                                @if other != l {
                                    a href=(other.link(address)) hreflang=(other) lang=(other) title=(other.name()) {
                                        (other.code().to_uppercase())
                                    }
                                }
                            }
                            button type="button" id="theme" title=(l.say("Light or dark", "Claro u oscuro")) aria-label=(l.say("Light or dark", "Claro u oscuro")) { "◐" }
                            button type="button" id="help" title=(l.say("Keys", "Teclas")) aria-label=(l.say("Keys", "Teclas")) { "?" }
                        }
                    }
                    main id="content" { (content) }
                    (keys(l))
                }
            }
        }
    }

    /// A page that says what is in the way.
    pub fn problem(&self, status: StatusCode, title: &str, why: impl Display) -> Problem {
        Problem(status, self.page_of_problem(title, &why))
    }

    /// A page that says that there is nothing under this address.
    pub fn not_found(&self, why: impl Display) -> Problem {
        self.problem(
            StatusCode::NOT_FOUND,
            self.language.say("Not found", "No encontrado"),
            why,
        )
    }

    /// A page that says what is wrong with an address.
    pub fn refused(&self, why: impl Display) -> Problem {
        let title = self
            .language
            .say("This address cannot be used", "Esta dirección no sirve");
        self.problem(StatusCode::BAD_REQUEST, title, why)
    }

    /// A page that says why the index has no answer.
    pub fn unread(&self, error: &ReadError) -> Problem {
        let l = self.language;
        match error {
            ReadError::TooLong => self.problem(
                StatusCode::SERVICE_UNAVAILABLE,
                l.say("This takes too long", "Esto tarda demasiado"),
                l.say(
                    "The query was stopped after 2 s. A run, a verdict or a time narrows it.",
                    "La consulta se detuvo a los 2 s. Una ejecución, un veredicto o un tiempo la reducen.",
                ),
            ),
            ReadError::TooMuch(most) => self.problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                l.say(
                    "Too many outcomes for this page",
                    "Demasiados resultados para esta página",
                ),
                l.say(
                    format!(
                        "It compares up to {}; make report RUN=a,b compares any number.",
                        l.whole(*most)
                    ),
                    format!(
                        "Compara hasta {}; make report RUN=a,b compara cuantos haya.",
                        l.whole(*most)
                    ),
                ),
            ),
            ReadError::Refused(error) => self.problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                l.say("The index cannot be read", "No se puede leer el índice"),
                error,
            ),
        }
    }

    /// A page that says why MongoDB has no answer.
    pub fn unreachable(&self, error: &StoreError) -> Problem {
        let title = self.language.say("MongoDB cannot be read", "No se puede leer MongoDB");
        self.problem(StatusCode::SERVICE_UNAVAILABLE, title, error)
    }

    fn page_of_problem(&self, title: &str, why: &impl Display) -> Markup {
        let again = self.language.say("Try again", "Reintentar");
        let content = html! {
            h1 { (title) }
            p.warning { (why) }
            p { a.button href=(self.language.link(&self.address)) { (again) } }
        };
        self.page(Section::Questions, title, &content)
    }
}

/// What is in the way, as a page.
pub struct Problem(pub StatusCode, pub Markup);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let asked = parts
            .extensions
            .get::<Asked>()
            .and_then(|Asked(address)| Self::of(address));
        asked.ok_or((StatusCode::NOT_FOUND, "there is no such page\n"))
    }
}

/// What the keys do; each has a visible control as well.
fn keys(l: Language) -> Markup {
    let keys = [
        ("/", l.say("search", "buscar")),
        ("j k", l.say("next and previous row", "fila siguiente y anterior")),
        ("Enter", l.say("open the row", "abrir la fila")),
        ("← →", l.say("previous and next case", "caso anterior y siguiente")),
        ("m", l.say("marks on and off", "marcas sí o no")),
        (
            "g n  g q  g l  g c",
            l.say("to the pages above", "a las páginas de arriba"),
        ),
        (
            "1 0 s u",
            l.say(
                "on Label: yes, no, skip, undo",
                "en Etiquetar: sí, no, saltar, deshacer",
            ),
        ),
    ];
    html! {
        dialog id="keys" aria-label=(l.say("Keys", "Teclas")) {
            table {
                caption { (l.say("Keys", "Teclas")) }
                tbody { @for (key, what) in keys { tr { th scope="row" { kbd { (key) } } td { (what) } } } }
            }
            form method="dialog" {
                label { input type="checkbox" id="keys-off"; " " (l.say("switch them off", "desactivarlas")) }
                " " button { (l.say("Close", "Cerrar")) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_begins_with_its_language() {
        let visit = Visit::of("/es/questions?run=a%2Fb").unwrap();
        assert_eq!(
            (visit.language, visit.address.as_str()),
            (Language::Spanish, "/questions?run=a%2Fb")
        );
        assert!(Visit::of("/questions").is_none() && Visit::of("/").is_none() && Visit::of("/ñ").is_none());
    }
}
