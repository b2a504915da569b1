"""Card numbers: 13 to 19 digits that an issuer could have given out (ISO/IEC 7812) and whose check digit is right."""

from typing import Final

from sakimori_collector.domain.privacy.kind import MASK, Kind, Match

_BETWEEN = r"(?:[ .+-]|%20)"
_RUN = r"(?:2[2-7]|3[0-9]|4[0-9]|5[0-9]|6[0-9])[0-9]{11,17}"
_FOURS = rf"(?:2[2-7]|3[0-9]|4[0-9]|5[0-9]|6[0-9])[0-9]{{2}}(?:{_BETWEEN}[0-9]{{4}}){{2}}{_BETWEEN}[0-9]{{1,7}}"
_FOURS_AND_THREE = rf"{_FOURS}{_BETWEEN}[0-9]{{3}}"
_AMERICAN = rf"3[0-9]{{3}}{_BETWEEN}[0-9]{{6}}{_BETWEEN}[0-9]{{4,5}}"
_ANY = rf"\b(?:{_RUN}|{_FOURS_AND_THREE}|{_FOURS}|{_AMERICAN})\b"


def _card(match: Match) -> bytes:
    digits = bytes(byte for byte in match[0].replace(b"%20", b"") if 48 <= byte <= 57)
    return MASK if is_card_number(digits) else match[0]


def is_card_number(digits: bytes) -> bool:
    """Tell whether decimal digits (ASCII) are a card number: issuer, length, Luhn's sum."""
    return digits.isdigit() and len(digits) in _lengths(digits) and _luhn(digits)


def _lengths(digits: bytes) -> range:
    """How long a number of this issuer is; JCB, Discover, UnionPay, Maestro go to 19."""
    first, two, four = digits[:1], int(digits[:2]), int(digits[:4])
    if first == b"4":
        return range(13, 20, 3)
    if two in (34, 37):
        return range(15, 16)
    if 3528 <= four <= 3589:
        return range(16, 20)
    if two in (30, 36, 38, 39):
        return range(14, 20)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return range(16, 17)
    return range(13, 20) if two == 50 or two >= 56 else range(0)


def _luhn(digits: bytes) -> bool:
    total = 0
    for place, byte in enumerate(reversed(digits)):
        digit = (byte - 48) << (place & 1)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0 and digits.strip(b"0") != b""


CARDS: Final = Kind("cards", _ANY, ((_ANY, _card),))
"""In one piece, or in the groups that cards are printed with."""
