"""Fields whose name says that their value is a secret."""

import re
from functools import lru_cache
from typing import Final

_SECRET: Final = re.compile(
    r".{0,200}(?:pass(?:word|wd|phrase|code)|secret(?:[_-]?(?:access)?[_-]?key)?|token|api[_-]?key|private[_-]?key)"
    r"|(?:.{0,200}[._-])?(?:pwd|(?:proxy-)?authorization|credentials?|psk|otp)",
    re.IGNORECASE,
)
"""Also as the end of longer names: `masterUserPassword`, `http.request.headers.x-auth-token`."""
_ALONE: Final = re.compile(r"session(?:[_-]?id)?|sid|jsessionid|phpsessid|pass|pw|auth", re.IGNORECASE)
"""Secrets only where nothing stands before them: Zeek, Windows and others number their sessions."""
_COOKIE: Final = re.compile(r"(?:.{0,200}[._-])?(?:set-)?cookies?(?:\.[\w.-]{1,64})?", re.IGNORECASE)
_CARD: Final = re.compile(
    r"(?:.{0,200}[._-])?(?:(?:credit|debit)?[_-]?card|cc|pan)(?:[_-]?(?:number|num|no))?", re.IGNORECASE
)
NAME_TRIGGER: Final = r"(?i:\"(?:session(?:[_-]?id)?|sid|(?:j|php)sess(?:ion)?id|pass|pw|auth)\":)"
"""Finds the names of _ALONE in JSON; the other names are found as those of key=value are."""
_LONGEST: Final = 256


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Tell whether a field's value is masked whole: `db.password`, `http.request.headers.authorization`."""
    return len(name) <= _LONGEST and (_SECRET.fullmatch(name) is not None or _ALONE.fullmatch(name) is not None)


@lru_cache(maxsize=4096)
def is_card_name(name: str) -> bool:
    """Tell whether a field's number may be that of a card: others, such as durations, may look like one."""
    return len(name) <= _LONGEST and _CARD.fullmatch(name) is not None


@lru_cache(maxsize=4096)
def is_cookie_name(name: str) -> bool:
    """Tell whether a field holds cookies, or one of them."""
    return len(name) <= _LONGEST and _COOKIE.fullmatch(name) is not None
