"""The chat's inner API, which believes the gateway on who the operator is and that they may."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import msgspec

from sakimori_api_gateway.adapters.upstream import Upstream, UpstreamAway
from sakimori_api_gateway.ports import Asked, OfficeRefused
from sakimori_common.bus import Unavailable
from sakimori_common.web import EDGE_TOKEN_HEADER

OPERATOR_HEADER: Final = "x-sakimori-operator"
ANSWER_SECONDS: Final = 4.0
"""Less than the database waits for the transaction that this may be within."""
MAX_ANSWER_BYTES: Final = 16 << 20


class _Problem(msgspec.Struct):
    code: str
    detail: str


class HttpChatOffice:
    """See ChatOffice."""

    def __init__(self, chat: Upstream, edge_token: str) -> None:
        self._chat = chat
        self._edge_token = edge_token

    async def ask(self, asked: Asked) -> bytes:
        """See ChatOffice."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status, body = await self._answered(asked)
        except (UpstreamAway, TimeoutError) as error:
            raise Unavailable(f"the chat: {type(error).__name__}") from error
        if status < 300:
            return body
        raise _refusal(status, body)

    async def _answered(self, asked: Asked) -> tuple[int, bytes]:
        headers = {
            EDGE_TOKEN_HEADER: self._edge_token,
            OPERATOR_HEADER: asked.operator,
            "x-forwarded-for": asked.address,
            "x-request-id": asked.request_id,
            "host": "chat",
        }
        content = None if asked.body is None else msgspec.json.encode(asked.body)
        if content is not None:
            headers |= {"content-type": "application/json", "content-length": str(len(content))}
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        body = None if content is None else _once(content)
        answer = await self._chat.send(asked.method, b"/moderation" + asked.path.encode(), raw, body)
        return answer.status_code, await self._read(answer)

    async def _read(self, answer: httpx.Response) -> bytes:
        read = bytearray()
        async for chunk in self._chat.stream(answer):
            read += chunk
            if len(read) > MAX_ANSWER_BYTES:
                raise Unavailable(f"the chat: an answer of over {MAX_ANSWER_BYTES} bytes")
        return bytes(read)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _refusal(status: int, body: bytes) -> Exception:
    """Pass a refusal of what was asked on; all else is a chat that does not work."""
    try:
        problem: Any = msgspec.json.decode(body, type=_Problem)
    except msgspec.MsgspecError:
        return Unavailable(f"the chat: HTTP {status}")
    if status in {404, 409, 413, 422} and problem.code != "not_found":
        return OfficeRefused(status, problem.code, problem.detail)
    return Unavailable(f"the chat: {problem.detail}")
