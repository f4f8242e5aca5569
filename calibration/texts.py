"""Texts of others, made fit to be shown."""

import unicodedata

# Steers the text around it, or cannot be seen: controls, formats (bidi, zero width), separators, lone surrogates.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

MOST_LETTERS = 1200


def visible(text: str) -> str:
    """A text with a token such as ⟨U+202E⟩ in place of what steers or hides others; line breaks and tabs stay."""
    text = text.replace("\r\n", "\n")
    return "".join(letter if _is_plain(letter) else f"⟨U+{ord(letter):04X}⟩" for letter in text)


def cut(text: str) -> str:
    """The beginning of a text, made visible, and how much is left out."""
    shown = visible(text[:MOST_LETTERS])
    return f"{shown}\n… {len(text) - MOST_LETTERS:,} more letters" if len(text) > MOST_LETTERS else shown


def _is_plain(letter: str) -> bool:
    return letter in "\n\t" or unicodedata.category(letter) not in _UNSEEN
