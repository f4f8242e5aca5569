//! What every Cotejo service shares; the messages themselves are in [`contracts`].
//!
//! | module | holds |
//! |---|---|
//! | [`input`] | what a consumer reads: messages, and where each was read |
//! | [`worker`] | THE loop: consume → handle → produce → store offset |
//! | [`handler`] | what a service does with the records that the loop reads |
//! | [`lease`] | the right to work on a record, and its end |
//! | [`pace`] | how much the loop takes on at once |
//! | [`offsets`] | which offset may be stored while records finish in any order |
//! | [`follower`] | reading a topic along, without a group and without promises |
//! | [`client`] | how to reach Kafka |
//! | [`producer`] | writing records, and knowing that they are there |
//! | [`dead_letter`] | records that can never be handled |
//! | [`batcher`] | many look-ups in one round trip |
//! | [`gatherer`] | what is asked for one by one, done together |
//! | [`topic_id`] | tells a topic from a later one of the same name |
//! | [`mongo`] | MongoDB settings and a connection that waits |
//! | [`collection`] | what is in MongoDB, as types |
//! | [`model_settings`] | by which settings the model answers now, in MongoDB |
//! | [`result_document`] | what is stored of an outcome |
//! | [`wait`] | waiting for a server that is away |
//! | [`http`] | health, readiness, Prometheus metrics |
//! | [`secret`] | settings that must not be seen |
//! | [`settings`] | the settings that services with a database share |
//! | [`process`] | settings, logs, signals and exit code of a service |

mod assignment;
pub mod batcher;
pub mod client;
pub mod collection;
pub mod dead_letter;
mod delivery;
pub mod follower;
pub mod gatherer;
pub mod handler;
pub mod http;
pub mod input;
pub mod lease;
pub mod model_settings;
pub mod mongo;
pub mod offsets;
mod output;
pub mod pace;
pub mod process;
pub mod producer;
pub mod result_document;
pub mod secret;
pub mod settings;
pub mod topic_id;
pub mod wait;
pub mod worker;
