"""One stack for all end-to-end tests that leave it as they found it."""

from collections.abc import Iterator

import pytest

from stack.api import Stack
from tests.browser import MISSING, Browser, browser
from tests.pages import Shown, show
from tests.support import Probe


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks for a stack, or makes one, is an end-to-end test."""
    for item in items:
        if item.path.name.startswith("test_e2e_"):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A running stack with the default settings; its logs are kept if a test fails."""
    with Stack() as stack:
        yield stack
        failed = request.session.testsfailed > 0
    if failed:
        print(f"\nThe stack's logs: {stack.run_dir / 'logs'}")
    else:
        stack.clean()


@pytest.fixture
def probe(stack: Stack) -> Iterator[Probe]:
    """Kafka and MongoDB of the stack."""
    with Probe(stack) as probe:
        yield probe


@pytest.fixture(scope="session")
def shown(stack: Stack) -> Shown:
    """What there is to look at."""
    return show(stack)


@pytest.fixture(scope="session")
def window() -> Iterator[Browser]:
    """The browser, where there is one."""
    if MISSING:
        pytest.skip(MISSING)
    with browser() as found:
        yield found


@pytest.fixture
def web(window: Browser) -> Iterator[Browser]:
    """The browser as it is when new; in the end it has nothing to complain of."""
    window.forget()
    yield window
    assert window.complaints() == []
