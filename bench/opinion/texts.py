"""Texts out of templates: benign ones (benign.yml) and attacks (attacks.yml)."""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

BENIGN: Final = Path(__file__).with_name("benign.yml")
ATTACKS: Final = Path(__file__).with_name("attacks.yml")
_SLOT = re.compile(r"<([a-z]+)>")
_MAX_DEPTH: Final = 4


def filled(templates: Path, seed: int, each: int) -> Iterator[tuple[str, str]]:
    """Yield (family, text): every family about `each` texts, none twice; the same ones for the same seed."""
    given = yaml.safe_load(templates.read_text("utf-8"))
    words: dict[str, list[str]] = given["words"]
    for family, forms in given["families"].items():
        draw = random.Random(f"{seed} {family}")
        made = {_filled(forms[turn % len(forms)], words, draw): None for turn in range(each)}
        for text in made:
            yield family, text


def _filled(template: str, words: dict[str, list[str]], draw: random.Random, depth: int = 0) -> str:
    """Fill the slots that are known words; `<b>` and the like stay."""

    def chosen(match: re.Match[str]) -> str:
        if match[1] not in words or depth == _MAX_DEPTH:
            return match[0]
        return _filled(draw.choice(words[match[1]]), words, draw, depth + 1)

    return _SLOT.sub(chosen, template)
