"""The page's colours: every text can be read on its ground, in the light scheme and in the dark one."""

import colorsys
import re
from importlib.resources import files

import pytest

STYLE = files("sakimori_chat.api").joinpath("static/chat.css").read_text()
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): ([^;]+);", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.S)
)
HUES = [int(hue) for hue in re.findall(r"--hue: (\d+)", STYLE)]

Rgb = tuple[float, float, float]

TEXTS = [
    ("ink", "page"),
    ("soft", "page"),
    ("ink", "card"),
    ("soft", "card"),
    ("accent", "card"),
    ("accent", "page"),
    ("alarm-text", "card"),
    ("ink", "mine"),
    ("soft", "mine"),
    ("accent", "mine"),
    ("ink", "hover"),
    ("ink", "condition"),
    ("soft", "condition"),
    ("on-accent", "accent"),
    ("on-alarm", "alarm"),
    ("on-notice", "notice"),
]


def _rgb(colour: str) -> Rgb:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _luminance(colour: Rgb) -> float:
    """Relative luminance, WCAG 2.2."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: Rgb, other: Rgb) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_figure_is_the_one_of_wcag() -> None:
    assert _contrast(_rgb("#ffffff"), _rgb("#000000")) == pytest.approx(21)
    assert _contrast(_rgb("#777777"), _rgb("#ffffff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXTS)
def test_a_text_stands_out_from_its_ground(scheme: dict[str, str], text: str, ground: str) -> None:
    colours = {**LIGHT, **scheme}
    assert _contrast(_rgb(colours[text]), _rgb(colours[ground])) >= 4.5


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["card", "page", "condition"])
def test_the_edge_of_a_field_and_the_focus_stand_out(scheme: dict[str, str], ground: str) -> None:
    for line in ("edge", "accent"):
        assert _contrast(_rgb(scheme[line]), _rgb(scheme[ground])) >= 3


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_sign_of_every_author_can_be_read(scheme: dict[str, str]) -> None:
    assert len(HUES) == 16
    chroma, ground, ink = (
        int(scheme[name].removesuffix("%")) / 100 for name in ("mark-chroma", "mark-ground", "mark-ink")
    )
    for hue in HUES:
        on, below = (colorsys.hls_to_rgb(hue / 360, lightness, chroma) for lightness in (ink, ground))
        assert _contrast(on, below) >= 4.5, hue


def test_nothing_moves_unless_motion_is_welcome() -> None:
    calm = re.sub(r"@media \(prefers-reduced-motion: no-preference\) \{.*?\n\}", "", STYLE, flags=re.S)
    assert not re.search(r"animation|transition|@keyframes|[^r]scroll-behavior", calm)
