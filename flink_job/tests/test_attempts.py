from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from flink_job.attempts import TOMBSTONE, Action, Attempt, State, decide

THRESHOLD = 0.65
MAX_ATTEMPTS = 3
VERDICTS = {Action.ACCEPT, Action.EXHAUST}


def attempt(number: int, score: float) -> Attempt:
    return Attempt(number, score, {"llm_answer": f"answer {number}", "model": "m"})


def step(
    state: State, this: Attempt, previous: Attempt | None = None, max_attempts: int = MAX_ATTEMPTS
) -> tuple[State, Action]:
    return decide(state, this, previous, threshold=THRESHOLD, max_attempts=max_attempts)


failing = st.floats(0, THRESHOLD, exclude_max=True)
passing = st.floats(THRESHOLD, 1)


@st.composite
def askings(draw: st.DrawFn) -> list[Attempt]:
    """The attempts that a model makes of one question: until one passes, or none is left."""
    failed = draw(st.lists(failing, max_size=MAX_ATTEMPTS))
    scores = failed if len(failed) == MAX_ATTEMPTS else [*failed, draw(passing)]
    return [attempt(number, score) for number, score in enumerate(scores, 1)]


def best(attempts: list[Attempt]) -> Attempt:
    return max(attempts, key=lambda a: (a.score, -a.attempts))


@given(askings(), st.data())
def test_any_order_and_any_repetition_gives_one_verdict_with_the_best_score(
    attempts: list[Attempt], data: st.DataObject
) -> None:
    best_before = [None, *accumulate(attempts, lambda a, b: best([a, b]))]
    messages = list(zip(attempts, best_before, strict=False))
    repeats = data.draw(st.lists(st.sampled_from(messages), max_size=10))
    stored, verdicts, regenerations = State(), [], 0
    for this, previous in data.draw(st.permutations(messages + repeats)):
        state, action = step(State.from_json(stored.to_json()), this, previous)
        regenerations += action is Action.REGENERATE
        if action in VERDICTS:
            verdicts.append((action, state.best, state.attempts))
        stored = TOMBSTONE if action in VERDICTS else state
    assert regenerations <= MAX_ATTEMPTS - 1
    assert len(verdicts) == 1
    action, kept, _ = verdicts[0]
    assert kept is not None
    assert (kept.attempts, kept.score) == (best(attempts).attempts, best(attempts).score)
    assert action is (Action.ACCEPT if kept.score >= THRESHOLD else Action.EXHAUST)


@given(askings())
def test_attempts_in_their_order_are_each_followed_by_the_next(attempts: list[Attempt]) -> None:
    state = State()
    for number, this in enumerate(attempts, 1):
        state, action = step(state, this)
        assert state.attempts == number
        assert (action is Action.REGENERATE) == (number < len(attempts))
    assert [line["attempts"] for line in state.history] == list(range(1, len(attempts) + 1))


def test_a_repeated_attempt_is_dropped_by_its_number() -> None:
    state, _ = step(State(), attempt(1, 0.2))
    assert step(state, attempt(1, 0.9)) == (state, Action.DROP)


def test_a_straggler_is_remembered_but_asks_for_nothing() -> None:
    state, action = step(State(), attempt(2, 0.2))
    assert action is Action.REGENERATE
    state, action = step(state, attempt(1, 0.4))
    assert action is Action.DROP
    assert state.best == attempt(1, 0.4)


def test_after_the_verdict_everything_is_dropped_and_no_text_is_kept() -> None:
    assert step(TOMBSTONE, attempt(2, 0.9), attempt(1, 0.1)) == (TOMBSTONE, Action.DROP)
    assert len(TOMBSTONE.to_json()) < 60


def test_a_lost_state_is_rebuilt_from_what_the_message_tells() -> None:
    state, action = step(State(), attempt(3, 0.1), attempt(1, 0.5))
    assert action is Action.EXHAUST
    assert state.best == attempt(1, 0.5)
    assert [line["attempts"] for line in state.history] == [1, 3]


def test_the_larger_of_state_and_message_counts() -> None:
    state, _ = step(State(), attempt(1, 0.5))
    _, action = step(state, attempt(7, 0.1))
    assert action is Action.EXHAUST


def test_of_equal_attempts_the_earlier_is_kept() -> None:
    state, _ = step(State(), attempt(2, 0.5))
    state, _ = step(state, attempt(1, 0.5))
    assert state.best == attempt(1, 0.5)


def test_one_allowed_attempt_is_the_last() -> None:
    assert step(State(), attempt(1, 0.1), max_attempts=1)[1] is Action.EXHAUST
    assert step(State(), attempt(1, THRESHOLD), max_attempts=1)[1] is Action.ACCEPT
