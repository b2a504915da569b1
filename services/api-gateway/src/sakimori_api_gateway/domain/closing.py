"""Close codes of WebSockets (RFC 6455, 7.4)."""

from typing import Final

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
POLICY: Final = 1008
TRY_AGAIN_LATER: Final = 1013

_NO_CODE: Final = 1005
_NEVER_SENT: Final = frozenset({1004, 1005, 1006, 1015})


def passable(code: int | None, *, otherwise: int) -> int:
    """Turn the code that one side closed with into one that may be sent to the other.

    A close without a code is a normal one; `otherwise` is for a connection that just broke off.
    """
    if code == _NO_CODE:
        return NORMAL
    if code is None or code in _NEVER_SENT or not (1000 <= code <= 1014 or 3000 <= code <= 4999):
        return otherwise
    return code
