"""What waits is told with its age, and is in danger once half the time is gone that its topic keeps it."""

import pytest

from stack.backlog import Backlog

DAY_S = 86400.0


@pytest.mark.parametrize(
    ("age_s", "kept_s", "is_in_danger"),
    [(3 * DAY_S, 7 * DAY_S, False), (4 * DAY_S, 7 * DAY_S, True), (400 * DAY_S, None, False)],
)
def test_a_backlog_is_in_danger_once_half_its_time_is_gone(
    age_s: float, kept_s: float | None, is_in_danger: bool
) -> None:
    backlog = Backlog("llm_requests", 12_345, age_s, kept_s)
    assert backlog.is_in_danger == is_in_danger
    assert str(backlog).startswith(f"llm_requests: 12,345 records wait, the oldest for {age_s / DAY_S:.0f} days")
    assert ("TOPIC_RETENTION" in str(backlog)) == is_in_danger


def test_what_was_removed_unread_is_told_whatever_is_left() -> None:
    backlog = Backlog("questions_in", 1, 30.0, 7 * DAY_S, lost=2_000)
    assert backlog.is_in_danger
    assert "the oldest for 30 s; 2,000 before them were removed unread" in str(backlog)
