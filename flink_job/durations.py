"""How long something takes or is kept, written as the services in Rust read it (by `humantime`)."""

import re

UNITS_S = {
    **dict.fromkeys(("ns", "nsec", "nanos"), 1e-9),
    **dict.fromkeys(("us", "µs", "usec"), 1e-6),
    **dict.fromkeys(("ms", "msec", "millis"), 1e-3),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), 604_800),
    **dict.fromkeys(("M", "month", "months"), 2_630_016),
    **dict.fromkeys(("y", "yr", "yrs", "year", "years"), 31_557_600),
}
"""The units of a duration, as the services know them."""


def seconds(duration: str) -> float | None:
    """A duration such as 90s or 1m 30s, or nothing where it is none."""
    text = re.sub(r"\s", "", duration)
    spans = re.findall(r"([0-9]+(?:\.[0-9]+)?)([a-zA-Zµ]+)", text)
    if text == "0":
        return 0
    if not spans or "".join(number + unit for number, unit in spans) != text or any(u not in UNITS_S for _, u in spans):
        return None
    return sum(float(number) * UNITS_S[unit] for number, unit in spans)
