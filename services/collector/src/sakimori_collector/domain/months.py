"""What months and time zones are called in logs, in the languages whose locales write them."""

from typing import Final

_LANGUAGES: Final = {
    "en": "jan feb mar apr may jun jul aug sep oct nov dec",
    "en, long": "january february march april may june july august september october november december",
    "en, sept": "jan feb mar apr may june july aug sept oct nov dec",
    "de": "jan feb mär apr mai jun jul aug sep okt nov dez",
    "de, glibc": "jän feb mrz apr mai juni juli aug sep okt nov dez",
    "fr": "janv févr mars avril mai juin juil août sept oct nov déc",
    "fr, no accents": "jan fev mars avr mai juin juil aout sept oct nov dec",
    "es": "ene feb mar abr may jun jul ago sep oct nov dic",
    "it": "gen feb mar apr mag giu lug ago set ott nov dic",
    "pt": "jan fev mar abr mai jun jul ago set out nov dez",
    "nl": "jan feb mrt apr mei jun jul aug sep okt nov dec",
    "sv, da": "jan feb mar apr maj jun jul aug sep okt nov dec",
    "nb": "jan feb mars april mai juni juli aug sep okt nov des",
    "ru": "янв фев мар апр мая июн июл авг сен окт ноя дек",
    "ja, zh, ko": "1月 2月 3月 4月 5月 6月 7月 8月 9月 10月 11月 12月",
    "ko": "1월 2월 3월 4월 5월 6월 7월 8월 9월 10월 11월 12월",
}
"""Abbreviations as the C library's locales have them (`%b`), without the dot that some end in."""

MONTHS: Final[dict[str, int]] = {
    name: number for names in _LANGUAGES.values() for number, name in enumerate(names.split(), start=1)
}
"""By name in lower case; no two languages contradict one another."""


def month_number(name: str) -> int:
    """Say which month a name means, 0 when none: case and a dot at its end do not matter."""
    return MONTHS.get(name.rstrip(".").lower(), 0)


_HOURS_EAST: Final = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "MET": 1, "CEST": 2, "MEST": 2, "EET": 2,
    "EEST": 3, "MSK": 3, "SGT": 8, "HKT": 8, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip
"""Abbreviations that logs write; those with several meanings as PostgreSQL's default set has them."""


def zone_seconds(name: str) -> int | None:
    """Give the seconds east of UTC that an abbreviation means; None when it is not known."""
    hours = _HOURS_EAST.get(name.upper())
    return None if hours is None else hours * 3600
