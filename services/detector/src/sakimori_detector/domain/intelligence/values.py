"""Indicators in one spelling each, so that two spellings of the same thing are equal as texts.

Every reader gives the one spelling, or None for what is no such thing. Feeds write `hxxp://evil[.]example`, too.
"""

import ipaddress
import re
from enum import StrEnum
from typing import Final, NamedTuple
from urllib.parse import quote

from sakimori_detector.sigma.events import address_of

MAX_CHARACTERS: Final = 4096
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*(?!\d+\Z){_LABEL}")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}(?:/[0-9.]{1,15})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")
_HASH = re.compile(r"[0-9a-f]+")
_HASH_CHARACTERS: Final = frozenset({32, 40, 56, 64, 96, 128})
"""MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512."""
_MAILBOX = re.compile(r"[^\s@<>\"',;:/]{1,64}")
_URL = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?P<authority>[^/?#\\\s]+)(?P<rest>(?:[/?\\].*)?)", re.IGNORECASE
)
_PORTS: Final = {"http": "80", "https": "443", "ftp": "21", "ws": "80", "wss": "443"}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_BACKSLASH: Final = "\\"
_AS_THEY_ARE: Final = "/?:@!$&'()*+,;=%-._~[]|"


class Kind(StrEnum):
    """What an indicator is; a network is an `ip` with a `/`."""

    IP = "ip"
    DOMAIN = "domain"
    URL = "url"
    HASH = "hash"
    EMAIL = "email"


class Value(NamedTuple):
    """An indicator in its one spelling."""

    kind: Kind
    text: str


KIND_NAMES: Final[dict[str, Kind]] = {
    **{kind.value: kind for kind in Kind},
    **dict.fromkeys(("ip:port", "ip-src", "ip-dst", "ipv4", "ipv6", "cidr"), Kind.IP),
    **dict.fromkeys(("hostname", "fqdn", "host", "domain-name"), Kind.DOMAIN),
    **dict.fromkeys(("uri", "link"), Kind.URL),
    **dict.fromkeys(("md5", "sha1", "sha224", "sha256", "sha384", "sha512"), Kind.HASH),
    **dict.fromkeys(("md5_hash", "sha1_hash", "sha256_hash", "sha3_384_hash"), Kind.HASH),
    **dict.fromkeys(("email-src", "email-dst", "email-addr"), Kind.EMAIL),
}
"""How feeds name the kinds."""


def read(text: str, kind: Kind | None = None) -> Value | None:
    """Read an indicator of a kind, or of whatever kind it looks like."""
    text = plain(text)
    if not text or len(text) > MAX_CHARACTERS:
        return None
    if kind is not None:
        known = _READERS[kind](text)
        return None if known is None else Value(kind, known)
    return _guess(text)


def plain(text: str) -> str:
    """Take back what keeps people from clicking on it: `hxxps://evil[.]example`."""
    text = text.strip().strip("\"'")
    if "[" in text or "xx" in text or "XX" in text:
        text = text.replace("[.]", ".").replace("[:]", ":").replace("[://]", "://").replace("[at]", "@")
        text = re.sub(r"\Ahxxp", "http", text, flags=re.IGNORECASE)
    return text


def _guess(text: str) -> Value | None:
    if "/" in text and _ADDRESS.fullmatch(text):
        order: tuple[Kind, ...] = (Kind.IP,)
    else:
        order = (Kind.EMAIL, Kind.URL) if "/" in text or "@" in text else (Kind.IP, Kind.HASH, Kind.DOMAIN)
    for kind in order:
        known = _READERS[kind](text)
        if known is not None:
            return Value(kind, known) if kind is Kind.HASH or "." in known or ":" in known else None
    return None


def ip_of(text: str) -> str | None:
    """Read an address, a network (bits behind its prefix do not matter) or an address with a port."""
    if not _ADDRESS.fullmatch(text):
        return None
    if "/" in text:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            return None
        return str(network) if network.prefixlen < network.max_prefixlen else str(network.network_address)
    address = address_of(text.strip("[]")) or address_of(text.rpartition(":")[0].strip("[]"))
    return None if address is None else str(address)


def domain_of(text: str) -> str | None:
    """Read a domain: lower case, in ASCII (punycode), without the final dot or a leading `*.`."""
    text = text.lower().rstrip(".").removeprefix("*").removeprefix(".")
    if not text.isascii():
        if len(text) > 253:
            return None
        try:
            text = text.encode("idna").decode()
        except UnicodeError:
            return None
    return text if _DOMAIN.fullmatch(text) else None


def url_of(text: str) -> str | None:
    """Read a URL: host, port where unusual, path and query. Scheme, user and fragment make no difference."""
    found = _URL.fullmatch(text.partition("#")[0].strip())
    place = None if found is None else _place_of(found["authority"])
    if found is None or place is None:
        return None
    scheme, rest = (found["scheme"] or "").lower(), found["rest"]
    if not (scheme or rest):
        return None
    host = f"[{place.host}]" if ":" in place.host else place.host
    port = "" if place.port in {"", _PORTS.get(scheme, "80")} else f":{place.port}"
    path, mark, query = rest.partition("?")
    return f"{host}{port}{_without_dots(_escaped(path.replace(_BACKSLASH, '/') or '/'))}{mark}{_escaped(query)}"


def host_of(text: str) -> str | None:
    """Read the host of a URL with a scheme: an address or a domain."""
    found = _URL.match(text)
    place = None if found is None or found["scheme"] is None else _place_of(found["authority"])
    return None if place is None else place.host


class _Place(NamedTuple):
    host: str
    port: str


def _place_of(authority: str) -> _Place | None:
    """Read host and port of `user:password@host:port`."""
    text = authority.rpartition("@")[2]
    name, _, port = text[1:].partition("]") if text.startswith("[") else text.partition(":")
    port = port.removeprefix(":")
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5):
        return None
    host = ip_of(name) or domain_of(name)
    return None if host is None or (":" in host) is not text.startswith("[") else _Place(host, port.lstrip("0"))


def _escaped(text: str) -> str:
    """Decode what needs no escape (RFC 3986, 2.3), escape what does, in capitals."""
    if "%" in text:
        text = _ESCAPE.sub(lambda match: _unescaped(match[1]), text)
    return quote(text, safe=_AS_THEY_ARE, errors="replace")


def _unescaped(digits: str) -> str:
    character = chr(int(digits, 16))
    return character if character in _UNRESERVED else f"%{digits.upper()}"


def _without_dots(path: str) -> str:
    """Resolve `.` and `..` (RFC 3986, 5.2.4)."""
    if "/." not in path:
        return path
    parts: list[str] = []
    steps = path.split("/")[1:]
    for step in steps:
        if step == "..":
            parts[-1:] = []
        elif step != ".":
            parts.append(step)
    return "/" + "/".join(parts) + ("/" if steps[-1] in {".", ".."} and parts else "")


def hash_of(text: str) -> str | None:
    """Read a digest in hexadecimal, in lower case."""
    text = text.lower()
    return text if len(text) in _HASH_CHARACTERS and _HASH.fullmatch(text) else None


def email_of(text: str) -> str | None:
    """Read a mail address, in lower case (no server in use tells `A@` from `a@`)."""
    mailbox, _, domain = text.lower().rpartition("@")
    host = domain_of(domain) if "." in domain and _MAILBOX.fullmatch(mailbox) else None
    return None if host is None else f"{mailbox}@{host}"


_READERS: Final = {
    Kind.IP: ip_of,
    Kind.DOMAIN: domain_of,
    Kind.URL: url_of,
    Kind.HASH: hash_of,
    Kind.EMAIL: email_of,
}
