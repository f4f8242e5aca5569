"""Why an answer has its score, drawn in a terminal: both texts with marks, and the signals."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from calibration.texts import visible

Part = Mapping[str, Any]

MOST_MARKED = 2000
"""With more words a side, marks help nobody."""

BAR = 10
FULL = 3.0
"""The push, in log-odds, that fills a bar: the same in every explanation, so that two can be compared."""

WORDS_SHOWN = 3

# Colour and form, so that no mark hangs on colour alone; the colours are those of a terminal's palette.
LOOKS = {
    "shared": ("underline blue", "", ""),
    "missing": ("yellow", "[", "]"),
    "added": ("bright_black", "+", ""),
    "contradicts": ("bold reverse", "≠", ""),
}
LEGEND = ("shared", "missing", "added", "contradicts")


def show(explained: Part, threshold: float, console: Console) -> None:
    """Draws an explanation.

    Parameters
    ----------
    explained : mapping
        What `flink_job.explain` prints.
    threshold : float
        Today's, for an answer that has no verdict of its own.
    console : Console
        Where to draw.
    """
    explanation = explained["explanation"]
    if not explained.get("knows_corpus", True):
        console.print("No stack answers: this is the shipped model with its own word frequencies.")
    if explained["question"].strip():
        console.print(Text("Question   ", "bold") + Text(visible(explained["question"].strip())))
    console.print(Text(verdict(explained, threshold), "bold"), soft_wrap=True)
    if sentence := held_back_by(explanation):
        console.print(Text(sentence), soft_wrap=True)
    console.print(_texts(explained), _legend(), sep="\n")
    console.print(_signals(explanation["signals"]))


def verdict(explained: Part, threshold: float) -> str:
    """The score, and what it meant or would mean."""
    score = explained["explanation"]["score"]
    unsure = "\nThe judge is unsure: it errs often around this score." if explained["explanation"]["unsure"] else ""
    by = f"scorer {explained['explanation']['scorer']}"
    if explained.get("verdict"):
        word = {"accepted": "Accepted", "exhausted": "Not accepted"}.get(explained["verdict"], explained["verdict"])
        attempts = explained.get("attempts") or 0
        best = f", best of {attempts} attempts" if attempts > 1 else ""
        own = explained.get("threshold")
        return f"{word}: score {score:.3f}{best}, threshold {threshold if own is None else own:g}, {by}.{unsure}"
    word = "would be accepted" if score >= threshold else "would not be accepted"
    return f"Score {score:.3f}: {word}, threshold {threshold:g}, {by}.{unsure}"


def held_back_by(explanation: Part) -> str:
    """What keeps the score down, in a sentence; nothing where nothing does."""
    missing = _heaviest(explanation["reference_words"], "missing")
    contradicting = _heaviest([*explanation["reference_words"], *explanation["answer_words"]], "contradicts")
    parts = [
        f"{_counted(len(words), what)} ({', '.join(words[:WORDS_SHOWN])}{', …' if len(words) > WORDS_SHOWN else ''})"
        for words, what in ((missing, "missing word"), (contradicting, "contradicting word"))
        if words
    ]
    pushes = [signal for signal in explanation["signals"] if signal["contribution"] < 0]
    if pushes:
        worst = min(pushes, key=lambda signal: signal["contribution"])
        parts.append(f"most of all {worst['name']} (without it {worst['without_it']:.3f})")
    return f"Held back by: {', '.join(parts)}." if pushes else ""


def marked(text: str, marks: Sequence[Part]) -> Text:
    """A text with its marks; they say where words stand in bytes of UTF-8."""
    source, shown, at = text.encode(errors="replace"), Text(), 0
    for mark in marks if len(marks) <= MOST_MARKED else ():
        look = LOOKS.get(mark["class"])
        if look is None or mark["start"] < at:
            continue
        style, before, after = look
        shown.append(visible(source[at : mark["start"]].decode(errors="replace")))
        word = visible(source[mark["start"] : mark["end"]].decode(errors="replace"))
        shown.append(f"{before}{word}{after}", style)
        at = mark["end"]
    shown.append(visible(source[at:].decode(errors="replace")))
    return shown


def _texts(explained: Part) -> Table:
    explanation = explained["explanation"]
    references, number = explained["references"], explanation["reference"]
    which = f" {number + 1} of {len(references)}" if len(references) > 1 else ""
    table = Table(expand=True)
    table.add_column(f"Reference{which} (a person)", ratio=1, overflow="fold")
    table.add_column("Answer", ratio=1, overflow="fold")
    reference = references[number] if references else ""
    table.add_row(
        marked(reference, explanation["reference_words"]), marked(explained["answer"], explanation["answer_words"])
    )
    return table


def _legend() -> Text:
    legend = Text(" ")
    for name in LEGEND:
        style, before, after = LOOKS[name]
        legend.append(f"{before}{name}{after}", style)
        legend.append("  ")
    return legend.append("unmarked: common, or in the question")


def _signals(signals: Iterable[Part]) -> Group:
    """Those that push noticeably, the strongest first, and how many others push."""
    pushing = [signal for signal in signals if signal["contribution"] < 0]
    pushing.sort(key=lambda signal: (signal["contribution"], signal["name"]))
    shown = [signal for signal in pushing if _bar(signal)]
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("signal", "pushes"):
        table.add_column(name, no_wrap=True)
    table.add_column("without it", justify="right", no_wrap=True)
    table.add_column("the answer …", overflow="fold")
    for signal in shown:
        what, _, _ = signal["meaning"].partition(". ")
        table.add_row(signal["name"], _bar(signal), f"{signal['without_it']:.3f}", what.removesuffix("."))
    scale = [f"■ is {FULL / BAR:g} of log-odds, a full bar {FULL:g} or more."] if shown else []
    left = len(pushing) - len(shown)
    others = [f"{left} signal{' pushes' if left == 1 else 's push'} too little to show."] if left else []
    return Group(*([table] if shown else []), " ".join([*scale, *others]) or "No signal pushes the score down.")


def _bar(signal: Part) -> str:
    share = min(-float(signal["contribution"]) / FULL, 1.0)
    return "■" * round(BAR * share)


def _heaviest(marks: Iterable[Part], what: str) -> list[str]:
    """The distinct words of a class, by weight."""
    words: dict[str, str] = {}
    for mark in sorted(marks, key=lambda mark: -mark["weight"]):
        if mark["class"] == what:
            words.setdefault(mark["stem"], visible(mark["word"]))
    return list(words.values())


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
