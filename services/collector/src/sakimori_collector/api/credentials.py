"""Where a request carries its token: the ways that shippers have for it."""

import base64
import binascii

from starlette.requests import Request


def token_of(request: Request) -> str:
    """Find the token, or an empty text.

    `Bearer TOKEN`; `Splunk TOKEN`; `Basic` with the token as the password (Elasticsearch outputs have user and
    password); `ApiKey` with base64 of `id:TOKEN` (what Elastic's own clients send) or the token as it is.
    """
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    given = given.strip()
    match scheme.lower():
        case "bearer" | "splunk":
            return given
        case "basic":
            return _after_colon(given)
        case "apikey":
            return _after_colon(given) or given
        case _:
            return ""


def _after_colon(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).partition(b":")[2].decode()
    except (binascii.Error, ValueError):
        return ""
