"""Addresses as those see them who may not know them (X-05): a stable pseudonym in place of each."""

import hmac
import re
from hashlib import sha256
from typing import Any

from sakimori_api_gateway.domain.addresses import parse_address

_IPV4 = r"(?<!\d)\d{1,3}(?:\.\d{1,3}){3}(?!\d)"
_IPV6 = r"(?<![\w.:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:(?:\.\d{1,3}){3})?(?![\w:])"
_CANDIDATE = re.compile(f"{_IPV6}|{_IPV4}")


class AddressMask:
    """Replace addresses by `ip-` and 12 hex digits of a keyed hash: the same address is always the same pseudonym.

    The hash is keyed since all of IPv4 could be hashed within minutes.
    """

    def __init__(self, secret: str) -> None:
        self._key = sha256(b"sakimori address pseudonyms\0" + secret.encode()).digest()

    def text(self, text: str) -> str:
        """Mask every address in a text; times and MAC addresses stay. Up to 3 us a character, most texts far less."""
        if text.count(".") < 3 and text.count(":") < 2:
            return text
        return _CANDIDATE.sub(self._pseudonym, text)

    def value(self, value: Any) -> Any:
        """Mask every text inside a JSON value, keys included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        return value

    def _pseudonym(self, match: re.Match[str]) -> str:
        address = parse_address(match[0])
        if address is None:
            return match[0]
        return "ip-" + hmac.new(self._key, address.packed, sha256).hexdigest()[:12]
