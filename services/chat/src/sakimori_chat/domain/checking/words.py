"""Words and phrases that are not welcome in a room.

An entry is a word or phrase, compared folded; where its script puts spaces between words it must stand as a word of its
own. `word*` takes whatever begins so; `!phrase` is never objected to, whatever it contains (for 시발점, Scunthorpe).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import regex

from sakimori_chat.domain.checks import Objection, Said
from sakimori_chat.domain.folding import folded, unleeted
from sakimori_chat.domain.rooms import CheckName, RoomPolicy

THRESHOLD: Final = 1.0
"""Entries found from which on a message is objected to."""
_MAX_PHRASE_WORDS: Final = 8
_SHORTEST_WITHIN: Final = 4
"""Letters of an entry that is looked for inside a run of single letters: `x b a d w o r d x`."""

_UNSPACED: Final = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_IS_UNSPACED: Final = regex.compile(f"[{_UNSPACED}]")
_WORD: Final = regex.compile(r"[\p{L}\p{M}\p{N}@$|](?:[*_~^+'’!-]*+[\p{L}\p{M}\p{N}@$|])*+[!]*+")
"""A word, with the signs in it that people hide words with; no full stop, which is where a space was forgotten."""
_SIGNS: Final = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
_HIDING: Final = regex.compile(r"[*_~^+'’-]+")
_RUNS: Final = regex.compile(r"(.)\1{2,}")
_KANA: Final = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
"""Katakana to hiragana."""


@dataclass(frozen=True, slots=True)
class WordList:
    """A room's list, made ready: entries by what they are found by. `words` has phrases too, joined by spaces."""

    words: dict[str, str] = field(default_factory=dict)
    leet: dict[str, str] = field(default_factory=dict)
    prefixes: dict[str, str] = field(default_factory=dict)
    within: dict[str, str] = field(default_factory=dict)
    allowed: tuple[str, ...] = ()
    longest: int = 1
    """Words of the longest phrase."""

    def found(self, text: str) -> list[str]:
        """Name the entries that a text holds, in their order of finding, each once."""
        plain = folded(text).translate(_KANA)
        for phrase in self.allowed:
            plain = plain.replace(phrase, " ")
        hits = [*self._inside(plain), *self._as_words(_words(plain)), *self._spelled_out(plain)]
        return list(dict.fromkeys(hits))

    def _inside(self, plain: str) -> Iterator[str]:
        if self.within and _IS_UNSPACED.search(plain):
            close = _SIGNS.sub("", plain)
            yield from (entry for part, entry in self.within.items() if part in close)

    def _as_words(self, words: Sequence[str]) -> Iterator[str]:
        for start in range(len(words)):
            for forms in _forms(words[start]):
                yield from self._of_word(forms)
            for length in range(2, min(self.longest, len(words) - start) + 1):
                entry = self.words.get(" ".join(map(_bare, words[start : start + length])))
                if entry is not None:
                    yield entry

    def _of_word(self, word: str) -> Iterator[str]:
        if word in self.words:
            yield self.words[word]
        elif not word.isdecimal() and (read := unleeted(word)) in self.leet:
            yield self.leet[read]
        for prefix, entry in self.prefixes.items():
            if word.startswith(prefix):
                yield entry

    def _spelled_out(self, plain: str) -> Iterator[str]:
        """Find words whose letters stand apart: `b a d`, `b.a.d`."""
        pieces = _SIGNS.sub(" ", plain).split()
        run: list[str] = []
        for piece in (*pieces, ".."):
            if len(piece) == 1:
                run.append(piece)
                continue
            if len(run) > 2:
                yield from self._of_run("".join(run))
            run = []

    def _of_run(self, letters: str) -> Iterator[str]:
        for word, entry in self.words.items():
            if word == letters or (len(word) >= _SHORTEST_WITHIN and word in letters):
                yield entry


class Words:
    """Objects to messages that hold entries of the room's list; its score is how many."""

    name = CheckName.WORDS

    def objection(self, said: Said, policy: RoomPolicy) -> Objection | None:
        """See Check. Some 30 us for a message of 60 words, whatever the length of the list; reasons are entries."""
        if not policy.words:
            return None
        found = word_list(policy.words).found(said.text)
        threshold = policy.check(self.name).threshold or THRESHOLD
        if len(found) < threshold:
            return None
        entries = tuple(found[:5])  # the room's own words, not the message's
        return Objection(self.name, float(len(found)), threshold, entries, outline=entries)


@lru_cache(maxsize=128)
def word_list(entries: tuple[str, ...]) -> WordList:
    """Make a list ready; remembered, for every message of a room asks."""
    made = WordList(allowed=tuple(plain for entry in entries if entry.startswith("!") and (plain := _plain(entry[1:]))))
    phrases = 1
    for entry in entries:
        if not entry.startswith("!") and (words := [_bare(word) for word in _words(_plain(entry))]):
            _add(made, entry, words)
            phrases = max(phrases, len(words))
    return WordList(made.words, made.leet, made.prefixes, made.within, made.allowed, min(phrases, _MAX_PHRASE_WORDS))


def _add(made: WordList, entry: str, words: list[str]) -> None:
    joined = " ".join(words)
    if _IS_UNSPACED.search(joined):
        made.within.setdefault("".join(words), entry)
    elif entry.endswith("*"):
        made.prefixes.setdefault(joined, entry)
    else:
        made.words.setdefault(joined, entry)
        made.leet.setdefault(unleeted(joined), entry)


def _plain(text: str) -> str:
    return folded(text).translate(_KANA).strip(" *")


def _words(plain: str) -> list[str]:
    return _WORD.findall(plain)


def _bare(word: str) -> str:
    """Take the signs out of a word."""
    return _SIGNS.sub("", word)


def _forms(word: str) -> Iterable[str]:
    """List how a word may be meant: as it stands, without hiding signs, with stretched letters shortened."""
    if word.isalpha() and _RUNS.search(word) is None:
        return (word,)
    forms = {word.rstrip("!"): None, word: None, _HIDING.sub("", word): None, _bare(word): None}
    for form in tuple(forms):
        forms |= {_RUNS.sub(r"\1\1", form): None, _RUNS.sub(r"\1", form): None}
    return forms
