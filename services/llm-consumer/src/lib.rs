//! Answers every question on `llm_requests`: with a model's answer on `llm_responses`,
//! or, when that concerns the question alone, with the reason on `llm_errors`.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | every setting |
//! | [`handler`] | an `LlmRequest` to an `LlmResponse` or an `ErrorMessage` |
//! | [`prompt`] | what the model is sent; never anything of the reference answer |
//! | [`gate`] | when a call may begin: limits, and outages that all questions wait for |
//! | [`caller`] | THE retry layer |
//! | [`billing`] | what calls cost, and whether there is money for another |
//! | [`prices`] | what models cost |
//! | [`budget`] | what calls may cost, over all replicas |
//! | [`money`] | US dollars as whole numbers |
//! | [`answers`] | answers that were paid for, and are not paid for again |
//! | [`cassette`] | recording a model's answers into a file, and answering from it |
//! | [`model`] | what a language model is, and how it fails |
//! | [`offline`] | a simulated model that needs no network |
//! | [`openai`] | any server that speaks OpenAI's chat completions |

pub mod answers;
pub mod billing;
pub mod budget;
pub mod caller;
pub mod cassette;
pub mod config;
pub mod gate;
pub mod handler;
pub mod model;
pub mod money;
pub mod offline;
pub mod openai;
pub mod prices;
pub mod prompt;
