"""Whose page a request comes from, as browsers tell (RFC 6454; Fetch, "Origin" header; Fetch Metadata)."""

from collections.abc import Collection
from enum import StrEnum
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}


class Foreign(StrEnum):
    """By what sign a request is not from our own page."""

    TOKEN_MISSING = "token_missing"  # noqa: S105  # the name of a reason
    TOKEN_WRONG = "token_wrong"  # noqa: S105  # the name of a reason
    CROSS_SITE = "cross_site"
    ORIGIN_FOREIGN = "origin_foreign"
    ORIGIN_NULL = "origin_null"
    ORIGIN_MISSING = "origin_missing"


def foreign_by_origin(
    origin: str | None, fetch_site: str | None, hosts: Collection[str], allowed: Collection[str]
) -> Foreign | None:
    """Judge the headers `Origin` and `Sec-Fetch-Site`; None where they name no other page, or are not there.

    `hosts` are the names (`host[:port]`) that the request came to, `allowed` other origins (`scheme://host[:port]`).
    The scheme of our own is not compared: TLS may end before us. An opaque origin (`null`: a sandboxed frame, a file, a
    page whose referrer policy hides it) is ours only if the browser vouches for it.
    """
    if origin is not None and origin in allowed:
        return None
    if fetch_site not in {None, "same-origin", "none"}:
        return Foreign.CROSS_SITE
    if origin is None:
        return None
    if origin == "null":
        return None if fetch_site == "same-origin" else Foreign.ORIGIN_NULL
    return None if _is_ours(origin, hosts) else Foreign.ORIGIN_FOREIGN


def parse_origins(text: str) -> tuple[str, ...]:
    """Read origins between commas, in the form that browsers send. Raises ValueError that names the wrong one."""
    return tuple(_origin(part.strip()) for part in text.split(",") if part.strip())


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or text != f"{parts.scheme}://{parts.netloc}":
        raise ValueError(f"{text[:64]!r} is no origin such as https://chat.example:8443")
    return text.lower()


def _is_ours(origin: str, hosts: Collection[str]) -> bool:
    scheme, _, host = origin.lower().partition("://")
    if scheme not in DEFAULT_PORTS:
        return False
    known = {name.lower() for name in hosts if name}
    return host in known or f"{host}:{DEFAULT_PORTS[scheme]}" in known
