"""What a server of language models may do with a call: the good, the bad and the odd, for `tests.model_server`."""

import json
import math
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from email.utils import format_datetime
from itertools import count

from tests.model_server import Behaviour, Call, Reply

DEFAULT = "I do not know."


def answer(
    answers: Mapping[str, str] | None = None, default: str = DEFAULT, latency_s: float = 0.0, **fields: object
) -> Behaviour:
    """Answers each question with what `answers` has for its title; `fields` are laid over the completion."""

    def behave(call: Call) -> Reply:
        return Reply(body=_completion(call, _answer(call, answers, default), fields), wait_s=latency_s)

    return behave


def in_parts(answers: Mapping[str, str] | None = None, default: str = DEFAULT) -> Behaviour:
    """Answers with a list of parts in place of a text, as some servers do."""

    def behave(call: Call) -> Reply:
        text = _answer(call, answers, default)
        halves = text[: len(text) // 2], text[len(text) // 2 :]
        return Reply(body=_completion(call, [{"type": "text", "text": half} for half in halves], {}))

    return behave


def _answer(call: Call, answers: Mapping[str, str] | None, default: str) -> str:
    return next((text for title, text in (answers or {}).items() if title in call.text), default)


def _completion(call: Call, content: object, fields: Mapping[str, object]) -> bytes:
    tokens = {"prompt_tokens": len(call.text.split()), "completion_tokens": len(str(content).split())}
    completion = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": call.body.get("model"),
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
        "usage": {**tokens, "total_tokens": sum(tokens.values())},
    }
    return json.dumps({**completion, **fields}).encode()


NO_COUNTS = {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}
"""A `usage` that says nothing: `answer(usage=NO_COUNTS)`."""


def refusal(
    status: int, message: str, code: str | None = None, headers: Mapping[str, str] | None = None, **fields: object
) -> Behaviour:
    """Refuses every call, with an error as OpenAI writes it; `fields` are laid over the error."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code, **fields}
    body = json.dumps({"error": error}).encode()
    return lambda _: Reply(status, body, headers or {})


def limited(retry_after: float | datetime | None = None, *, retry_after_ms: int | None = None) -> Behaviour:
    """Has had too many calls, and may say when to come back: in seconds, at a time, or in milliseconds."""
    headers = {}
    if isinstance(retry_after, datetime):
        headers["Retry-After"] = format_datetime(retry_after, usegmt=True)
    elif retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if retry_after_ms is not None:
        headers["retry-after-ms"] = str(retry_after_ms)
    return refusal(429, "Rate limit reached for requests", "rate_limit_exceeded", headers, type="requests")


def limited_by_window(limit: int, window_s: float, otherwise: Behaviour) -> Behaviour:
    """Takes so many calls in each fixed window of time, as a limit a minute does, and names the end of the window."""
    began, lock = time.monotonic(), threading.Lock()
    taken: Counter[int] = Counter()

    def behave(call: Call) -> Reply:
        number, elapsed = divmod(time.monotonic() - began, window_s)
        with lock:
            taken[int(number)] += 1
            is_over = taken[int(number)] > limit
        return limited(math.ceil(window_s - elapsed))(call) if is_over else otherwise(call)

    return behave


def failing() -> Behaviour:
    """Fails, and does not know why."""
    return refusal(500, "The server had an error while processing your request.", type="server_error")


def model_missing() -> Behaviour:
    """Does not have the model."""
    message = "The model does not exist or you do not have access to it."
    return refusal(404, message, "model_not_found", param="model")


def parameter_refused(name: str, otherwise: Behaviour) -> Behaviour:
    """Does not know a parameter, and refuses calls with it."""
    message = f"Unsupported parameter: '{name}' is not supported with this model."
    refuse = refusal(400, message, "unsupported_parameter", param=name)
    return lambda call: (refuse if name in call.body else otherwise)(call)


def context_too_long() -> Behaviour:
    """Cannot read so much at once."""
    message = "This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens."
    return refusal(400, message, "context_length_exceeded", param="messages")


def filtered() -> Behaviour:
    """Will not hear of it."""
    message = "The response was filtered due to the prompt triggering content management policy."
    return refusal(400, message, "content_filter", param="prompt")


def unauthorized() -> Behaviour:
    """Does not accept the key, and quotes it, as some gateways do."""

    def behave(call: Call) -> Reply:
        key = call.headers.get("authorization", "").removeprefix("Bearer ")
        return refusal(401, f"Incorrect API key provided: {key}.", "invalid_api_key")(call)

    return behave


def no_credit() -> Behaviour:
    """Wants to be paid first."""
    return refusal(402, "Insufficient Balance", type="unknown_error")


def hanging() -> Behaviour:
    """Never replies."""
    return lambda _: Reply(wait_s=math.inf)


def dripping(otherwise: Behaviour, pause_s: float = 1.0) -> Behaviour:
    """Replies byte by byte."""
    return lambda call: replace(otherwise(call), pause_s=pause_s)


def cut(otherwise: Behaviour) -> Behaviour:
    """Hangs up in the middle of the reply."""
    return lambda call: replace(otherwise(call), is_cut=True)


def reset() -> Behaviour:
    """Resets the connection."""
    return lambda _: Reply(is_reset=True)


def not_json() -> Behaviour:
    """Replies with what is not JSON, and says that it is."""
    return lambda _: Reply(body=b'{"choices": [')


def error_inside() -> Behaviour:
    """Replies with an error, and says that all is well."""
    body = json.dumps({"error": {"message": "Provider returned error", "code": 502}}).encode()
    return lambda _: Reply(body=body)


def only(text: str, behaviour: Behaviour, otherwise: Behaviour) -> Behaviour:
    """Behaves so towards the calls that hold a text, and otherwise towards all others."""
    return lambda call: (behaviour if text in call.text else otherwise)(call)


def at_first(number: int, behaviour: Behaviour, otherwise: Behaviour) -> Behaviour:
    """Behaves so towards so many calls, and otherwise from then on."""
    calls = count()

    def behave(call: Call) -> Reply:
        return behaviour(call) if next(calls) < number else otherwise(call)

    return behave
