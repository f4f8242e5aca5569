//! Tells a topic from a later one of the same name.
//!
//! Kafka gives every topic a UUID when it is created; offsets of one topic mean nothing in
//! another. librdkafka reports it by `DescribeTopics`, which the Rust binding does not wrap.

use std::ffi::{CStr, CString};
use std::ptr;

use anyhow::{Context as _, bail};
use rdkafka::bindings as rd;
use rdkafka::client::{Client, ClientContext};

const TIMEOUT_MS: i32 = 10_000;

/// The id of a topic, in Kafka's base64 form. Blocks for up to ten seconds.
///
/// # Errors
/// When the brokers do not answer or there is no such topic.
pub fn topic_id<C: ClientContext>(client: &Client<C>, topic: &str) -> anyhow::Result<String> {
    let name = CString::new(topic).context("a topic name holds no NUL")?;
    let mut names = [name.as_ptr()];
    // SAFETY: every pointer comes from librdkafka or outlives the calls; each object that
    // is made here is destroyed once, after the last use of what it lends.
    unsafe {
        let topics = rd::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let queue = rd::rd_kafka_queue_new(client.native_ptr());
        rd::rd_kafka_DescribeTopics(client.native_ptr(), topics, ptr::null(), queue);
        let event = rd::rd_kafka_queue_poll(queue, TIMEOUT_MS);
        let id = if event.is_null() {
            Err(anyhow::anyhow!("no answer in time"))
        } else {
            read_id(event)
        };
        rd::rd_kafka_event_destroy(event);
        rd::rd_kafka_queue_destroy(queue);
        rd::rd_kafka_TopicCollection_destroy(topics);
        id.with_context(|| format!("asking for the id of topic {topic}"))
    }
}

/// # Safety
/// `event` must be a live event of librdkafka; nothing of it is kept.
unsafe fn read_id(event: *mut rd::rd_kafka_event_t) -> anyhow::Result<String> {
    // SAFETY: the event is live, and librdkafka checks its type and lends what it holds.
    unsafe {
        let result = rd::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            bail!("librdkafka answered something else");
        }
        let mut count = 0;
        let descriptions = rd::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if count == 0 || descriptions.is_null() {
            let error = CStr::from_ptr(rd::rd_kafka_event_error_string(event));
            bail!("{}", error.to_string_lossy());
        }
        let description = *descriptions;
        let error = rd::rd_kafka_TopicDescription_error(description);
        if !error.is_null() && rd::rd_kafka_error_code(error) != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            bail!("{}", CStr::from_ptr(rd::rd_kafka_error_string(error)).to_string_lossy());
        }
        let id = rd::rd_kafka_Uuid_base64str(rd::rd_kafka_TopicDescription_topic_id(description));
        Ok(CStr::from_ptr(id).to_string_lossy().into_owned())
    }
}
