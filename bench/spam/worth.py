"""What the checks of messages find, what they call wrongly, and what a message costs."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from bench.spam import corpus
from bench.spam.report import percent, table
from sakimori_chat.adapters.checks import all_checks
from sakimori_chat.adapters.models import shipped
from sakimori_chat.domain.checking.duplicate import Duplicate
from sakimori_chat.domain.checking.similarity import signature
from sakimori_chat.domain.checks import Check, Recent, Said
from sakimori_chat.domain.names import fault_of
from sakimori_chat.domain.rooms import CheckName, CheckPolicy, Reaction, RoomPolicy
from sakimori_chat.domain.text import clean_text

SEED: Final = 20260116
AUTHORS: Final = 20
KEPT: Final = 64
"""Signatures that a room remembers."""
ROOM: Final = RoomPolicy(
    words=tuple(f"listedword{number}" for number in range(200)),
    checks={name: CheckPolicy(reaction=Reaction.NOTE) for name in CheckName},
)
_ALIKE: Final = str.maketrans("aeopcxyAEOPCXTHKMB", "аеорсхуАЕОРСХТНКМВ")
_LEET: Final = str.maketrans("aeiost", "431057")


def worth(data: Path) -> int:
    """Print the tables."""
    model = shipped()
    print(f"Spam model {model.version}, threshold {model.threshold}.\n")
    print("### Messages that nothing was trained on and that are no advertising\n")
    _print(("messages", "count", "0.5 and more", "over the threshold"), _unseen(data))
    honest = [sample.text for sample in corpus.samples(data) if not sample.is_spam]
    print("### Honest messages in one room, in random order, by twenty authors\n")
    _print(("check", "messages", "objected to"), _alarms(honest))
    spam = [sample.text for sample in corpus.samples(data) if sample.is_spam and len(sample.text) >= 40]
    print("### Copies of a spam of 40 characters and more, ten honest messages between them\n")
    _print(
        ("changed each time by", "same author, third", "other authors, third", "fourth", "fifth"), _copies(spam, honest)
    )
    print("### Microseconds of processor time for a message\n")
    _print(("", *(f"{name}" for name in _TEXTS)), _costs())
    return 0


def _unseen(data: Path) -> Iterator[Sequence[str]]:
    model = shipped()
    for name, texts in corpus.unseen(data).items():
        sure = [model.probability(text) for text in texts]
        half, over = sum(each >= 0.5 for each in sure), sum(each >= model.threshold for each in sure)
        yield name, str(len(texts)), _share(half, len(texts)), _share(over, len(texts))


def _alarms(honest: Sequence[str]) -> Iterator[Sequence[str]]:
    draw = random.Random(SEED)
    texts = list(honest)
    draw.shuffle(texts)
    for check in (check for check in all_checks() if check.name is not CheckName.SPAM):  # which has learned them
        objected, recent = 0, list[Recent]()
        for number, text in enumerate(texts):
            said = Said(text, "", f"author {draw.randrange(AUTHORS)}", 10.0 * number, recent[-KEPT:])
            objected += check.objection(said, ROOM) is not None
            recent.append(Recent(said.author_id, said.at, signature(text)))
        yield check.name.value, str(len(texts)), _share(objected, len(texts))


def _copies(spam: Sequence[str], honest: Sequence[str]) -> Iterator[Sequence[str]]:
    for name, change in _CHANGES.items():
        draw = random.Random(SEED)
        own, other = [0, 0, 0], [0, 0, 0]
        for text in spam:
            between = draw.sample(honest, 40)
            for found, authors in ((own, ["one"] * 5), (other, ["one", "two", "three", "four", "five"])):
                for place, hit in enumerate(_caught([change(text, draw) for _ in authors], authors, between)):
                    found[place] += hit
        yield name, _share(own[0], len(spam)), *(_share(count, len(spam)) for count in other)


def _caught(texts: Sequence[str], authors: Sequence[str], between: Sequence[str]) -> list[bool]:
    """Tell of the third, fourth and fifth copy whether it is objected to."""
    check, recent, answers, at = Duplicate(), list[Recent](), list[bool](), 0.0
    for number, (text, author) in enumerate(zip(texts, authors, strict=True)):
        answers.append(check.objection(Said(text, "", author, at, recent), ROOM) is not None)
        recent.append(Recent(author, at, signature(text)))
        for place, honest in enumerate(between[10 * number : 10 * number + 10]):
            recent.append(Recent(f"honest {place}", at + place, signature(honest)))
        at += 20
    return answers[2:]


def _costs() -> Iterator[Sequence[str]]:
    asked: dict[str, Callable[[str], object]] = {
        "clean_text": clean_text,
        "fault_of (name)": lambda text: fault_of(text[:20]),
        "signature": signature.__wrapped__,
    }
    for name, ask in asked.items():
        yield name, *(_microseconds(partial(ask, text)) for text in _TEXTS.values())
    recent = [
        Recent(f"author {number}", 0.0, signature(f"line {number} of sixty-four lines")) for number in range(KEPT)
    ]
    for check in all_checks():
        yield check.name.value, *(_microseconds(_asking(check, text, recent)) for text in _TEXTS.values())


def _asking(check: Check, text: str, recent: Sequence[Recent]) -> Callable[[], object]:
    said = Said(text, "", "one", 1.0, recent)
    return lambda: check.objection(said, ROOM)


def _microseconds(asked: Callable[[], object], times: int = 300) -> str:
    """Give the least of five means."""
    took = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(times):
            asked()
        took.append((time.process_time() - start) / times)
    return f"{min(took) * 1e6:.0f}"


def _print(head: Sequence[str], rows: Iterator[Sequence[str]]) -> None:
    print("\n".join(table(head, rows)))


def _share(part: int, whole: int) -> str:
    return f"{part} ({percent(part / whole)})"


def _one_word(text: str, draw: random.Random) -> str:
    words = text.split()
    words[draw.randrange(len(words))] = draw.choice(("kevin", "laura", "miguel", "today", "really", "now"))
    return " ".join(words)


def _three_words(text: str, draw: random.Random) -> str:
    for _ in range(3):
        text = _one_word(text, draw)
    return text


_CHANGES: Final[dict[str, Callable[[str, random.Random], str]]] = {
    "nothing": lambda text, draw: text,
    "capitals and signs": lambda text, draw: (
        (text.upper() if draw.random() < 0.5 else text.lower()) + "!" * draw.randrange(9)
    ),
    "a number at the end": lambda text, draw: f"{text} {draw.randrange(10_000)}",
    "look-alike letters": lambda text, draw: "".join(c.translate(_ALIKE) if draw.random() < 0.5 else c for c in text),
    "zero-width spaces": lambda text, draw: clean_text("\u200b".join(text)),
    "digits for letters, one in five": lambda text, draw: "".join(
        c.translate(_LEET) if draw.random() < 0.2 else c for c in text
    ),
    "another word": _one_word,
    "three other words": _three_words,
}
_TEXTS: Final = {
    "60 letters": "an honest message of sixty letters or so, about the weather",
    "300 letters": ("We talked about the harbour, the boats in it, and why the old one never left. " * 4)[:300],
    "60 Japanese": "今日は雨だったので、家でゆっくり本を読みました。午後は晴れ。" * 2,
    "2,000 hostile": ("a.b\u0301 hxxp " * 200)[:2000],
}
