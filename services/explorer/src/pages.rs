//! The pages. Each module has the address of its page and draws it; what they share is in [`layout`].

mod compare;
mod label;
mod layout;
mod moment;
pub mod now;
mod question;
mod questions;

use axum::Router;

pub use self::layout::Asked;
use crate::web::App;

/// The addresses below the language.
pub fn routes() -> Router<App> {
    Router::new()
        .merge(now::routes())
        .merge(questions::routes())
        .merge(question::routes())
        .merge(label::routes())
        .merge(compare::routes())
}
