"""Answers that no person would accept, made from references by rules; and near copies, which people would."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_MODAL = re.compile(
    r"\b(is|are|was|were|can|could|will|would|should|has|have|had|does|do|did|may|might|must)\b(?!\s+(?:not|n't))", re.I
)
_NEGATION = re.compile(r"\s*\b(not|never)\b|n't\b", re.I)
_NUMBER = re.compile(r"\d[\d,.]*\d|\d")
_SMALL_WORDS = """
a an the of in on at by for from to with and or but so if than that this these those it its is are was
were be been i you he she we they my your his her our their not no as do does did can could will would
should may might must has have had who what which when where why how there here about into over after
before also just only very some any all each every them him us me nobody nothing none itself himself
herself themselves one's more most much many such own same
"""
_SMALL = frozenset(_SMALL_WORDS.split())
_SYNONYMS = {
    "because": "since",
    "people": "folks",
    "large": "big",
    "big": "large",
    "usually": "normally",
    "often": "frequently",
    "many": "lots of",
    "small": "little",
    "help": "assist",
    "start": "begin",
    "begin": "start",
    "need": "require",
    "use": "employ",
    "show": "reveal",
    "keep": "hold on to",
    "make": "create",
    "good": "fine",
    "important": "essential",
    "different": "distinct",
    "also": "as well",
    "about": "roughly",
    "however": "still",
    "quickly": "fast",
    "get": "obtain",
    "mostly": "mainly",
    "old": "aged",
    "hard": "tough",
    "whole": "entire",
    "enough": "sufficient",
    "buy": "purchase",
    "kids": "children",
    "children": "kids",
    "ask": "inquire",
    "try": "attempt",
    "give": "hand",
    "stop": "quit",
    "near": "close to",
    "although": "though",
    "called": "named",
    "located": "situated",
    "famous": "well-known",
    "film": "movie",
    "movie": "film",
    "town": "city",
    "directed": "made",
    "written": "authored",
}
_SYNONYM = re.compile(rf"\b({'|'.join(_SYNONYMS)})\b", re.IGNORECASE)
REFUSALS = (
    "I'm sorry, but I don't know the answer to that question.",
    "As an AI language model, I cannot answer this question.",
    "I am not sure. Could you please provide more context?",
    "I couldn't find any information about that.",
    "Unfortunately, I do not have enough information to answer this.",
    "There is not enough information available to determine that.",
    "I don't know.",
    "Lo siento, no sé la respuesta.",
)


def sentences(text: str) -> list[str]:
    """The sentences of a text, roughly."""
    return [part for part in _SENTENCE.split(text.strip()) if part]


def without_last_sentence(reference: str) -> str | None:
    """The near copy: what a trap must not beat."""
    parts = sentences(reference)
    return " ".join(parts[:-1]) if len(parts) > 1 else None


def rephrase(reference: str, chance: random.Random) -> str | None:
    """The same sentences in another order, with a few words replaced: what a trap must not beat either."""
    parts = sentences(reference)
    replaced = [_SYNONYM.sub(lambda match: _SYNONYMS[match[0].lower()], part) for part in parts]
    if len(parts) < 2:
        return None
    chance.shuffle(replaced)
    return " ".join(replaced)


def _content(text: str) -> list[str]:
    return [
        word for word in re.findall(r"[\w'’-]+", text) if word.lower() not in _SMALL and not re.search(r"['’]", word)
    ]


@dataclass(frozen=True)
class Given:
    """What a trap is made of."""

    question: str
    reference: str
    other: str
    chance: random.Random


def negate(given: Given) -> str | None:
    """The first statement of each sentence, or of one, turned into its opposite."""
    parts = sentences(given.reference)
    every = given.chance.random() < 0.5

    def turn(part: str) -> str:
        without = _NEGATION.sub("", part, count=1)
        return without if without != part else _MODAL.sub(r"\1 not", part, count=1)

    turned = [turn(part) for part in parts]
    changed = [index for index, part in enumerate(parts) if turned[index] != part]
    if not changed:
        return f"It is not {given.reference}" if len(given.reference.split()) <= 6 else None
    chosen = set(changed) if every else {given.chance.choice(changed)}
    return " ".join(turned[index] if index in chosen else part for index, part in enumerate(parts))


def swap_numbers(given: Given) -> str | None:
    """Every number becomes another of about the same size."""

    def another(match: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", match[0])
        value = int(digits[:12])
        step = (
            given.chance.choice([1, 2, 3, 7, 10])
            if value < 100 or 1000 < value < 2100
            else max(1, value // given.chance.choice([2, 3, 5]))
        )
        return str(value + step)

    swapped = _NUMBER.sub(another, given.reference)
    return swapped if swapped != given.reference else None


def _turn(turned: Mapping[str, str], match: re.Match[str]) -> str:
    return turned[match[0]]


def swap_roles(given: Given) -> str | None:
    """Two content words, or names, of a sentence change places."""
    parts = sentences(given.reference)
    order = list(range(len(parts)))
    given.chance.shuffle(order)
    for index in order:
        content = list(dict.fromkeys(word for word in _content(parts[index]) if len(word) > 3))
        if len(content) < 3:
            continue
        turned = {content[0]: content[-1], content[-1]: content[0]}
        either = "|".join(map(re.escape, turned))
        swapped = re.sub(rf"\b({either})\b", partial(_turn, turned), parts[index])
        return " ".join([*parts[:index], swapped, *parts[index + 1 :]])
    return None


def stuff(given: Given) -> str | None:
    """The reference's content words as a list, in any order, perhaps more than once."""
    content = _content(given.reference)
    if len(content) < 6:
        return None
    content = content * given.chance.choice([1, 1, 2])
    given.chance.shuffle(content)
    return given.chance.choice([" ", ", "]).join(content) + given.chance.choice(["", "."])


def pad(given: Given) -> str | None:
    """A few words of the reference within a long text about something else."""
    content = _content(given.reference)
    words = content[: max(1, len(content) // 4)] if len(content) >= 8 else []
    return f"{given.question.splitlines()[0]} {' '.join(words)} {given.other}" if words else None


def cut(given: Given) -> str | None:
    """Only the first words of the reference; sometimes the answer says so, or looks whole."""
    words = given.reference.split()
    if len(words) < 12:
        return None
    kept = " ".join(words[: max(2, int(len(words) * given.chance.uniform(0.08, 0.25)))])
    return kept + given.chance.choice(
        ["", "", ".", ". There is more to it, but I forgot the rest.", ". That is all I know."]
    )


def echo(given: Given) -> str | None:
    """The question, given back."""
    asked = given.question.splitlines()[0]
    return given.chance.choice(
        [
            asked,
            f"{asked} That is a good question.",
            f"You are asking: {given.question}",
            f"The question is {asked}",
        ]
    )


def refuse(given: Given) -> str | None:
    """No answer, politely; often with the question's words in it."""
    refusal = given.chance.choice(REFUSALS)
    return refusal if given.chance.random() < 0.5 else f"{refusal} {given.question.splitlines()[0]}"


def off_topic(given: Given) -> str | None:
    """A good answer to another question."""
    return given.other


Trap = Callable[[Given], str | None]
TRAPS: dict[str, Trap] = {
    "negated": negate,
    "numbers": swap_numbers,
    "roles": swap_roles,
    "stuffed": stuff,
    "padded": pad,
    "cut": cut,
    "echo": echo,
    "refusal": refuse,
    "off topic": off_topic,
}


COPIES = ("copy", "rephrased")
"""What people would accept."""
PARTS = ("padded", "cut")
"""What keeps a part of the reference as it is."""


def make(pairs: Sequence[tuple[str, str]], seed: int = 0) -> list[tuple[str, str, str, str]]:
    """Every trap, and every near copy, of every (question, reference): (name, question, reference, answer)."""
    made = []
    for index, (question, reference) in enumerate(pairs):
        chance = random.Random(f"{seed} {question}")  # noqa: S311 -- examples, not secrets
        # At least two pairs: off topic is what answers another question.
        other = pairs[(index + 1 + chance.randrange(len(pairs) - 1)) % len(pairs)][1]
        for name, trap in TRAPS.items():
            answer = trap(Given(question, reference, other, chance))
            if answer is not None and answer.strip() != reference.strip():
                made.append((name, question, reference, answer))
        for name, copy in (("copy", without_last_sentence(reference)), ("rephrased", rephrase(reference, chance))):
            if copy is not None and copy != reference:
                made.append((name, question, reference, copy))
    return made
