"""Whose page a request or a handshake comes from."""

from collections.abc import Collection

from starlette.requests import HTTPConnection

from sakimori_chat.domain.origins import Foreign, foreign_by_origin
from sakimori_common.web import is_from_edge

FORWARDED_HOST = "x-forwarded-host"


def foreign_origin(connection: HTTPConnection, edge_token: str, allowed: Collection[str]) -> Foreign | None:
    """Say by what sign a connection comes from somebody else's page; None where there is none.

    Where the gateway proves itself its word on the host that it was asked for counts, and not its name for us.
    """
    headers = connection.headers
    host = headers.get("host", "")
    if is_from_edge(connection, edge_token):
        host = headers.get(FORWARDED_HOST) or host
    return foreign_by_origin(headers.get("origin"), headers.get("sec-fetch-site"), (host,), allowed)
