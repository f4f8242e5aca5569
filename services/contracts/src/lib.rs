//! What flows between the parts of Cotejo; no Kafka and no database in here.
//!
//! | module | holds |
//! |---|---|
//! | [`message`] | every message, as a type |
//! | [`value`] | the checked values they are made of |
//! | [`topic`] | every topic, its message, its writers and readers, the size limits |
//! | [`record`] | a record's bytes to a message or the reason why not, and back |

pub mod message;
pub mod record;
pub mod topic;
pub mod value;
