"""`GET /packets`: the latest packets of the interfaces, as a pcap file."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sakimori_common.instants import LATEST, parse_instant
from sakimori_common.web import Problem

if TYPE_CHECKING:
    from sakimori_packet_sensor.adapters.packet_store import Extract

MAX_BYTES: Final = 64 << 20
PCAP: Final = "application/vnd.tcpdump.pcap"
_CONCURRENT: Final = 2
_KNOWN: Final = frozenset({"since", "until", "address", "port", "protocol", "max_bytes"})


class PacketsApi:
    """Gives out what the packet store still has. `x-packets` counts, `x-whole` is 0 where there were more."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._slots = asyncio.Semaphore(_CONCURRENT)

    def routes(self) -> list[Route]:
        """List the routes."""
        return [Route("/packets", self._get, methods=["GET"])]

    async def _get(self, request: Request) -> Response:
        if not self._folders:
            raise Problem(
                404, "no_packets", "No packets are kept: set NETWORK_INTERFACE and SENSOR_PACKET_STORE_BYTES."
            )
        query = request.query_params
        if unknown := sorted(set(query) - _KNOWN):
            raise _wrong(unknown[0], "no such parameter")
        async with self._slots:
            taken = await asyncio.to_thread(self._extract, request)
        headers = {
            "content-disposition": 'attachment; filename="packets.pcap"',
            "x-packets": str(taken.packets),
            "x-whole": str(int(taken.is_whole)),
        }
        return Response(taken.pcap, media_type=PCAP, headers=headers)

    def _extract(self, request: Request) -> "Extract":
        from sakimori_packet_sensor.adapters.packet_store import extract  # noqa: PLC0415  # loads the compiled part
        from sakimori_packet_sensor.domain.fastpath.wanted import Wanted  # noqa: PLC0415

        query = request.query_params
        try:
            wanted = Wanted(
                since=_instant(query.get("since"), "since", 0),
                until=_instant(query.get("until"), "until", LATEST),
                addresses=tuple(query.getlist("address")),
                ports=tuple(_number(port, "port", 65_535) for port in query.getlist("port")),
                protocol=_number(query["protocol"], "protocol", 255) if "protocol" in query else None,
            )
            return extract(
                self._folders, wanted, _number(query.get("max_bytes", str(MAX_BYTES)), "max_bytes", MAX_BYTES)
            )
        except ValueError as error:
            raise Problem(422, "invalid_request", str(error)) from None


def _instant(text: str | None, name: str, default: int) -> int:
    if text is None:
        return default
    try:
        return parse_instant(text)
    except (ValueError, OverflowError):
        raise _wrong(name, "an RFC 3339 instant such as 2026-01-16T02:00:00Z") from None


def _number(text: str, name: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and int(text) <= most):
        raise _wrong(name, f"a number up to {most}")
    return int(text)


def _wrong(name: str, what: str) -> Problem:
    return Problem(
        422, "invalid_request", f"query.{name}: {what}", errors=[{"field": f"query.{name}", "message": what}]
    )
