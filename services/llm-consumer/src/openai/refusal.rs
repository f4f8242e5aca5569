//! What a server means that does not answer.

use std::borrow::Cow;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use crate::model::{ErrorKind, ModelError};

/// What a reply other than 2xx means.
pub(super) fn of_reply(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ModelError {
    let reply: Value = serde_json::from_slice(body).unwrap_or_default();
    let problem = &reply["error"];
    let message = problem["message"]
        .as_str()
        .or_else(|| problem.as_str())
        .map_or_else(|| String::from_utf8_lossy(body), Cow::from);
    ModelError {
        status: Some(status.as_u16()),
        retry_after: retry_after(headers),
        ..ModelError::new(kind(status.as_u16(), problem), &format!("HTTP {status}: {message}"))
    }
}

/// What an `error` means that comes with HTTP 200.
pub(super) fn of_body(problem: &Value) -> ModelError {
    let status = ["status", "code"]
        .iter()
        .find_map(|field| problem[field].as_u64())
        .and_then(|status| u16::try_from(status).ok())
        .filter(|status| (400..600).contains(status));
    let message = problem["message"]
        .as_str()
        .map_or_else(|| problem.to_string(), str::to_owned);
    ModelError {
        status,
        ..ModelError::new(
            kind(status.unwrap_or(500), problem),
            &format!("HTTP 200 with an error: {message}"),
        )
    }
}

fn kind(status: u16, problem: &Value) -> ErrorKind {
    let is = |name: &str| ["type", "code"].iter().any(|field| problem[field] == name);
    let says = |words: &str| {
        problem["message"]
            .as_str()
            .is_some_and(|message| message.contains(words))
    };
    match status {
        401 | 403 => ErrorKind::Unauthorized,
        402 => ErrorKind::QuotaExhausted,
        // No time will make a request smaller.
        429 if says("too large") => ErrorKind::ContextTooLong,
        429 if is("insufficient_quota") => ErrorKind::QuotaExhausted,
        429 => ErrorKind::RateLimited,
        408 | 409 | 425 | 500.. => ErrorKind::Unavailable,
        413 => ErrorKind::ContextTooLong,
        _ if is("context_length_exceeded") || says("context length") => ErrorKind::ContextTooLong,
        _ if is("content_filter") || is("content_policy_violation") => ErrorKind::Filtered,
        _ => ErrorKind::Refused,
    }
}

/// No server is left alone for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// When to come back: `retry-after-ms`, or `Retry-After` as seconds, whole or not, or as a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    told_wait(headers).map(|wait| wait.min(LONGEST_WAIT))
}

fn told_wait(headers: &HeaderMap) -> Option<Duration> {
    let value = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let seconds = |text: &str, unit: f64| Duration::try_from_secs_f64(text.parse::<f64>().ok()? * unit).ok();
    if let Some(wait) = value("retry-after-ms").and_then(|text| seconds(text, 1e-3)) {
        return Some(wait);
    }
    let text = value(RETRY_AFTER.as_str())?;
    seconds(text, 1.0).or_else(|| {
        let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        date.duration_since(Timestamp::now()).try_into().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        [(http::HeaderName::from_static(name), value.parse().unwrap())]
            .into_iter()
            .collect()
    }

    #[test]
    fn a_server_says_in_several_ways_when_to_come_back() {
        for (name, value, milliseconds) in [
            ("retry-after", "7", 7_000),
            ("retry-after", "0.25", 250),
            ("retry-after-ms", "1250", 1_250),
        ] {
            assert_eq!(
                retry_after(&headers(name, value)),
                Some(Duration::from_millis(milliseconds)),
                "{name}: {value}"
            );
        }
        let soon = Timestamp::now() + Duration::from_secs(90);
        let date = jiff::fmt::rfc2822::to_string(&soon.to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
        let wait = retry_after(&headers("retry-after", &date)).unwrap();
        assert!((80..=90).contains(&wait.as_secs()), "{wait:?}");
        for nonsense in ["soon", "-5", "NaN", "1e300", ""] {
            assert_eq!(retry_after(&headers("retry-after", nonsense)), None, "{nonsense}");
        }
    }

    #[test]
    fn a_refusal_is_of_the_server_or_of_the_question() {
        let error = |code: &str| serde_json::json!({"code": code, "message": "no"});
        for (status, code, expected) in [
            (401, "invalid_api_key", ErrorKind::Unauthorized),
            (402, "", ErrorKind::QuotaExhausted),
            (429, "insufficient_quota", ErrorKind::QuotaExhausted),
            (429, "rate_limit_exceeded", ErrorKind::RateLimited),
            (409, "", ErrorKind::Unavailable),
            (503, "", ErrorKind::Unavailable),
            (400, "context_length_exceeded", ErrorKind::ContextTooLong),
            (413, "", ErrorKind::ContextTooLong),
            (400, "content_filter", ErrorKind::Filtered),
            (404, "model_not_found", ErrorKind::Refused),
        ] {
            assert_eq!(kind(status, &error(code)), expected, "{status} {code}");
        }
    }
}
