//! How probable it is that a person would accept an answer, given answers that people gave, and why.
//!
//! Pure functions: nothing is read but the arguments. [`Scorer`] is made from an artefact (frequencies of words, and a
//! model that was fitted on people's verdicts) and judges [`Case`]s.
//!
//! | module | holds |
//! |---|---|
//! | `scorer` | a case's way: words → stems → signals beside each reference → score; the best counts |
//! | `reader`, `text` | words: where they stand, folded, stemmed, with numbers in one spelling |
//! | `lexicon`, `number`, `opposites` | the few words known by themselves; numbers; opposites |
//! | `stems` | the table of a case's stems and where they stand |
//! | `question` | what kind of answer is asked for |
//! | `profile` | what can be said of one text without the other |
//! | `spelling`, `likeness` | misspelt words |
//! | `compare` | an answer beside one reference: the value of every signal |
//! | `signal` | the list of signals, each in one sentence |
//! | `model` | from signals to a probability |
//! | `explain` | the same computation, told word by word |
//! | `artefact` | what is fitted, as one text with a hash |
//!
//! **Invariants.** Every signal but the cosine is a penalty that is 0 for the reference itself, and no weight is above
//! 0: no answer scores above the reference. Sums have one order: a score is the same to the bit wherever it is computed.
//! Work grows with the length of the texts times the number of references, and the caps beside each constant bound the
//! rest.

mod artefact;
mod compare;
mod explain;
mod frequencies;
mod lexicon;
mod likeness;
mod model;
mod number;
mod opposites;
mod profile;
mod question;
mod reader;
mod scorer;
mod signal;
mod spelling;
mod stemming;
mod stems;
mod text;

pub use artefact::{ArtefactError, FORMAT, seal};
pub use explain::{Class, Explanation, Mark, SignalShare};
pub use scorer::{Case, Judgement, Scorer};
pub use signal::{Signal, Signals};
pub use text::words;
