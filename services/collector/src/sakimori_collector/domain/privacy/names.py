"""Fields whose name says that their value is a secret."""

import re
from functools import lru_cache
from typing import Final

_SECRET: Final = re.compile(
    r"(?:.{0,200}[._-])?(?:pass(?:word|wd|phrase|code)|pwd|secret(?:[_-]?(?:access)?[_-]?key)?|(?:(?:access|refresh|id|auth|bearer|"
    r"session|security|csrf|xsrf|api|client)[_-]?)?token|api[_-]?key|(?:x[_-])?api[_-]?key|private[_-]?key|client[_-]?secret|"
    r"(?:proxy-)?authorization|credentials?|psk|otp)",
    re.IGNORECASE,
)
_ALONE: Final = re.compile(r"session(?:[_-]?id)?|sid|jsessionid|phpsessid|pass|pw|auth", re.IGNORECASE)
"""Secrets only where nothing stands before them: Zeek, Windows and others number their sessions."""
_COOKIE: Final = re.compile(r"(?:.{0,200}[._-])?(?:set-)?cookies?(?:\.[\w.-]{1,64})?", re.IGNORECASE)
_LONGEST: Final = 256


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Tell whether a field's value is masked whole: `db.password`, `http.request.headers.authorization`."""
    return len(name) <= _LONGEST and (_SECRET.fullmatch(name) is not None or _ALONE.fullmatch(name) is not None)


@lru_cache(maxsize=4096)
def is_cookie_name(name: str) -> bool:
    """Tell whether a field holds cookies, or one of them."""
    return len(name) <= _LONGEST and _COOKIE.fullmatch(name) is not None
