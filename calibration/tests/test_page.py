"""The report."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from scipy.special import expit

from calibration import findings
from calibration.labels import Label
from calibration.page import page
from calibration.work import Worked, work

EVIL = "</style></td><script>alert(1)</script>\u202e\x00<img src=x onerror=alert(2)> & \"quotes\" 'too'"


def worked(count: int, off: float = 0.0, chosen: str = "random", text: str = EVIL) -> Worked:
    random = np.random.default_rng(count)
    right = random.normal(1.0, 3.0, count)
    accepted = random.random(count) < expit(right)
    labels = [Label(f"{i} {text}", (text, text), text, bool(said), chosen) for i, said in enumerate(accepted)]
    return work(labels, list(expit(right + off)), 0.65, 0.9)


class Tags(HTMLParser):
    """Every tag, and whether all that was opened is closed in order."""

    VOID = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    @classmethod
    def of(cls, html: str) -> "Tags":
        tags = cls()
        tags.feed(html)
        tags.close()
        assert tags._open == []
        return tags


@pytest.mark.parametrize(("count", "off"), [(1, 0.0), (25, 0.0), (60, -3.0), (300, 0.0), (300, 2.0)])
def test_the_page_is_whole_and_holds_nothing_that_runs_or_is_fetched(count: int, off: float) -> None:
    shown = worked(count, off)
    html = page(shown, "2026-01-01 12:00 UTC", "abc")
    found = Tags.of(html)
    assert not {"script", "img", "link", "iframe", "a"} & set(found.tags)
    assert not [name for name, _ in found.attributes if name.startswith("on") or name in ("style", "src", "href")]
    assert "default-src 'none'" in html
    assert "@import" not in html
    assert "url(" not in html
    assert found.tags.count("svg") == (4 if shown.refit.better else 2)
    assert "prefers-color-scheme: dark" in html


def test_texts_are_shown_as_they_are_and_what_hides_is_a_token() -> None:
    html = page(worked(300), "now", "abc")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩⟨U+0000⟩" in html


def test_every_chart_has_a_title_that_says_what_was_found_and_a_table_beside_it() -> None:
    found = worked(300, -2.0)
    html = page(found, "now", "abc")
    assert found.today is not None
    assert f"<h3>{findings.reliability(found.today)}</h3>" in html
    assert "too little on average" in html
    assert html.count("<caption>") >= 4
    assert "300 answers drawn at random" in html
    assert re.search(r'<svg [^>]*role="img"[^>]*aria-label="[^"]+"[^>]*><title>', html)


def test_without_labels_from_a_random_draw_no_figure_is_shown() -> None:
    found = worked(100, chosen="unsure")
    html = page(found, "now", "abc")
    assert "is not known: no label is from a random draw" in html
    assert "<svg" not in html
    assert found.threshold.value is None


def test_where_a_new_last_step_is_proposed_the_page_tells_the_two_scores_apart() -> None:
    stays, changes = (page(worked(300, off), "now", "abc") for off in (0.0, 2.0))
    assert "<h2>After make apply-calibration</h2>" not in stays
    before, _, after = changes.partition("<h2>After make apply-calibration</h2>")
    assert "<h2>Today's score</h2>" in before
    assert "today 0.65" in before
    assert "recommended" not in before
    assert "today 0.65" not in after.partition("<section>")[0]
    assert "recommended 0.8" in after
    assert "<li><code>make apply-calibration</code></li><li><code>make down" in before


def test_every_word_of_the_last_step_is_explained() -> None:
    text = page(worked(60), "now", "abc")
    for word in ("a slope above 1", "An intercept above 0", "Log loss is"):
        assert word in text


def test_near_bins_do_not_overprint_their_counts() -> None:
    html = page(worked(300), "now", "abc")
    assert html.count("each dot: 30 labels") == 1


def test_a_long_text_is_cut_and_the_page_says_by_how_much() -> None:
    html = page(worked(40, text="word " * 10_000), "now", "abc")
    assert "more letters" in html
    assert len(html) < 500_000
