//! What the Flink job does with a record; Python wires it into the stream.
//!
//! | module | holds |
//! |---|---|
//! | [`records`] | a record's way: read it, score it, write what follows |
//! | [`attempts`] | accept, ask again or give up: the rule for the attempts of one request |
//! | [`verdict`] | the messages that tell it |
//! | [`guard`] | no panic ends the job |
//! | `python` | the same as the Python module `cotejo_native`, with the feature `python` |

pub mod attempts;
pub mod guard;
#[cfg(feature = "python")]
mod python;
pub mod records;
pub mod verdict;
