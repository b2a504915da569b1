"""Which headers pass the gateway."""

from collections.abc import Iterable, Sequence

RawHeader = tuple[bytes, bytes]

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""RFC 9110, 7.6.1, and those that were named there before."""
_GATEWAYS_OWN = frozenset({b"forwarded", b"x-real-ip", b"x-request-id", b"expect"})
_GATEWAYS_OWN_PREFIXES = (b"x-forwarded-", b"x-sakimori-")
_BOTS = frozenset({b"x-sakimori-bot", b"x-sakimori-timestamp", b"x-sakimori-nonce", b"x-sakimori-signature"})
"""What a bot proves itself with."""


def request_headers(
    given: Sequence[RawHeader], own: Iterable[RawHeader], *, without: frozenset[bytes] = frozenset()
) -> list[RawHeader]:
    """Take a client's headers less those of its own hop and those only the gateway may set; add the gateway's own."""
    headers = _end_to_end(given)
    chunked = any(name.lower() == b"transfer-encoding" for name, _ in given)
    dropped = without | ({b"content-length"} if chunked else frozenset())  # RFC 9112, 6.3: chunked wins
    kept = [
        (name, value)
        for name, value in headers
        if name not in dropped and (name in _BOTS or not _is_gateways_own(name))
    ]
    return [*kept, *own]


def response_headers(given: Iterable[RawHeader]) -> list[RawHeader]:
    """Take a service's headers less those of its own hop; the gateway's server writes date and server itself."""
    return [(name, value) for name, value in _end_to_end(given) if name not in {b"date", b"server"}]


def _is_gateways_own(name: bytes) -> bool:
    return name in _GATEWAYS_OWN or name.startswith(_GATEWAYS_OWN_PREFIXES)


def _end_to_end(given: Iterable[RawHeader]) -> list[RawHeader]:
    headers = [(name.lower(), value.strip(b" \t")) for name, value in given]  # RFC 9110, 5.5: it is not of the value
    named = {token.strip().lower() for name, value in headers if name == b"connection" for token in value.split(b",")}
    return [(name, value) for name, value in headers if name not in _HOP_BY_HOP and name not in named]
