//! Answers every question on `llm_requests`: with a model's answer on `llm_responses`,
//! or, when the retries are spent, with the reason on `llm_errors`.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | every setting |
//! | [`handler`] | an `LlmRequest` to an `LlmResponse` or an `ErrorMessage` |
//! | [`prompt`] | what the model is sent; never anything of the reference answer |
//! | [`caller`] | THE retry layer, and the limit of calls at once |
//! | [`model`] | what a language model is, and how it fails |
//! | [`offline`] | a simulated model that needs no network |
//! | [`openai`] | any server that speaks OpenAI's chat completions |

pub mod caller;
pub mod config;
pub mod handler;
pub mod model;
pub mod offline;
pub mod openai;
pub mod prompt;
