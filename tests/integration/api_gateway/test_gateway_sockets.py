"""WebSockets through the gateway, with a plain service behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from gateway.stage import EDGE_TOKEN, Stage, staged
from sakimori_common.context import Valkey
from sakimori_common.web import serving
from servers.eventually import eventually
from servers.ports import free_ports

NO_HEADERS: dict[str, str] = {}


@dataclass
class Behind:
    """A service that says back what it hears, but for words that tell it to do something else."""

    sockets: list[WebSocket] = field(default_factory=list)
    codes: list[tuple[int, str]] = field(default_factory=list)
    sent: int = 0

    async def serve(self, websocket: WebSocket) -> None:
        self.sockets.append(websocket)
        if websocket.query_params.get("refuse"):
            await websocket.send_denial_response(JSONResponse({"code": "origin_refused"}, 403, {"x-why": "origin"}))
            return
        subprotocol = websocket.scope["subprotocols"][0] if websocket.scope["subprotocols"] else None
        await websocket.accept(subprotocol, [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")])
        try:
            while True:
                await self._answer(websocket, await websocket.receive())
        except WebSocketDisconnect as left:
            self.codes.append((left.code, left.reason))

    async def _answer(self, websocket: WebSocket, message: object) -> None:
        assert isinstance(message, dict)
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"], message.get("reason"))
        text = message.get("text")
        if text == "close":
            await websocket.close(4001, "enough")
        elif text == "flood":
            for _ in range(4000):
                await websocket.send_bytes(b"x" * 64_000)
                self.sent += 64_000
        elif text is not None:
            await websocket.send_text(text)
        else:
            await websocket.send_bytes(message["bytes"])


@asynccontextmanager
async def in_front_of(behind: Behind, postgres_url: str, valkey: Valkey, **changes: object) -> AsyncIterator[Stage]:
    app = Starlette(routes=[WebSocketRoute("/{path:path}", behind.serve)])
    async with (
        serving(app, "127.0.0.1", 0) as port,
        staged(postgres_url, valkey, chat_url=f"http://127.0.0.1:{port}", **changes) as stage,
    ):
        yield stage


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
async def front(behind: Behind, postgres_url: str, valkey: Valkey) -> AsyncIterator[Stage]:
    async with in_front_of(behind, postgres_url, valkey) as stage:
        yield stage


def open_at(
    stage: Stage, path: str = "/chat/ws", headers: dict[str, str] = NO_HEADERS, origin: str = "http://soc.example"
) -> connect:
    return connect(
        stage.url.replace("http", "ws", 1) + path,
        additional_headers=headers,
        origin=Origin(origin),
        proxy=None,
        max_queue=1,
    )


async def refused(stage: Stage, path: str = "/chat/ws", headers: dict[str, str] = NO_HEADERS) -> InvalidStatus:
    with pytest.raises(InvalidStatus) as refusal:
        async with open_at(stage, path, headers):
            pass
    return refusal.value


async def closed(client: ClientConnection) -> tuple[int | None, str | None]:
    """Read on until the other side has closed."""
    with pytest.raises(ConnectionClosed):
        async with asyncio.timeout(10):
            while True:
                await client.recv()
    return client.close_code, client.close_reason


@pytest.mark.parametrize("path", ["/chat/ws?room=lobby&after=7&x=%E9%98%B2", "/bots/ws"])
async def test_frames_pass_both_ways_unchanged(front: Stage, behind: Behind, path: str) -> None:
    async with open_at(front, path) as client:
        for said in ("あいさつ", b"\x00\xff", "x" * 1_000_000, ""):
            await client.send(said)
            assert await client.recv() == said
        scope = behind.sockets[0].scope
        query = scope["query_string"].decode()
        assert scope["raw_path"].decode() + (f"?{query}" if query else "") == path
        assert client.response is not None
        assert client.response.headers.get_all("set-cookie") == ["a=1", "b=2"]
        assert len(client.response.headers["x-request-id"]) == 32
        assert client.response.headers["x-request-id"] == behind.sockets[0].headers["x-request-id"]


async def test_the_service_hears_who_the_client_is_from_the_gateway_alone(front: Stage, behind: Behind) -> None:
    sent = {
        "x-forwarded-for": "192.0.2.66, 203.0.113.42",
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https",
        "forwarded": "for=192.0.2.66",
        "x-sakimori-edge": "guess",
        "x-sakimori-operator": "admin",
        "x-request-id": "mine",
        "cookie": "anon_id=1; csrf_token=2",
        "x-sakimori-bot": "bot-0123456789abcdef",
        "x-sakimori-signature": "v1=00",
        "user-agent": "Firefox",
        "accept-language": "ja",
    }
    async with open_at(front, headers=sent):
        got = behind.sockets[0].headers
        assert got["x-forwarded-for"] == "203.0.113.42"
        assert got["x-forwarded-host"] == front.url.removeprefix("http://")
        assert got["x-forwarded-proto"] == "http"
        assert got.getlist("x-sakimori-edge") == [EDGE_TOKEN]
        assert got["origin"] == "http://soc.example"
        assert (got["cookie"], got["user-agent"], got["accept-language"]) == (sent["cookie"], "Firefox", "ja")
        assert (got["x-sakimori-bot"], got["x-sakimori-signature"]) == ("bot-0123456789abcdef", "v1=00")
        assert "x-sakimori-operator" not in got
        assert "forwarded" not in got
        assert len(got["x-request-id"]) == 32
        assert len(got.getlist("host")) == 1


async def test_the_subprotocol_that_the_service_chooses_is_the_clients(front: Stage) -> None:
    protocols = [Subprotocol("chat.v2"), Subprotocol("chat.v1")]
    url = front.url.replace("http", "ws", 1) + "/chat/ws"
    async with connect(url, subprotocols=protocols, proxy=None) as client:
        assert client.subprotocol == "chat.v2"


async def test_a_refusal_of_the_service_is_passed_on(front: Stage) -> None:
    answer = (await refused(front, "/chat/ws?refuse=1")).response
    assert (answer.status_code, answer.headers["x-why"]) == (403, "origin")
    assert answer.body == b'{"code":"origin_refused"}'
    assert len(answer.headers["x-request-id"]) == 32


async def test_close_codes_and_reasons_pass_both_ways(front: Stage, behind: Behind) -> None:
    async with open_at(front) as client:
        await client.send("close")
        assert await closed(client) == (4001, "enough")
    async with open_at(front) as client:
        await client.close(3005, "bye")
    await eventually(lambda: behind.codes[-1] == (3005, "bye"))
    async with open_at(front) as client:
        client.transport.abort()
    await eventually(lambda: len(behind.codes) == 3)


async def test_a_message_of_more_than_1_mib_is_closed_with_1009(front: Stage, behind: Behind) -> None:
    async with open_at(front) as client:
        await client.send("x" * (1 << 20) + "x")
        assert (await closed(client))[0] == 1009
    await eventually(lambda: [code for code, _ in behind.codes] == [1009])


async def test_a_client_that_does_not_read_makes_the_service_wait(front: Stage, behind: Behind) -> None:
    async with open_at(front) as client:
        await client.send("flood")
        seen: list[int] = []

        def has_stopped() -> bool:
            seen.append(behind.sent)
            return len(seen) > 5 and seen[-5:] == [behind.sent] * 5

        await eventually(has_stopped)
        assert 0 < behind.sent < 64_000_000
        for _ in range(4000):
            assert len(await client.recv()) == 64_000
    assert behind.sent == 256_000_000


async def test_without_the_service_there_is_no_handshake_but_503(postgres_url: str, valkey: Valkey) -> None:
    (port,) = free_ports(1)
    async with staged(postgres_url, valkey, chat_url=f"http://127.0.0.1:{port}") as stage:
        answer = (await refused(stage)).response
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert answer.headers["content-type"] == "application/problem+json"
        assert stage.context.registry.get_sample_value("sakimori_gateway_upstream_failures_total", {"upstream": "chat"})


async def test_a_service_that_breaks_off_is_told_as_try_again_later(postgres_url: str, valkey: Valkey) -> None:
    async def break_off(connection: ServerConnection) -> None:
        await connection.recv()
        connection.transport.abort()

    async with serve(break_off, "127.0.0.1", 0) as service:
        port = service.sockets[0].getsockname()[1]
        async with staged(postgres_url, valkey, chat_url=f"http://127.0.0.1:{port}") as stage, open_at(stage) as client:
            await client.send("anything")
            assert await closed(client) == (1013, "")


async def test_a_blocked_address_gets_no_handshake_and_loses_the_one_it_had(front: Stage, behind: Behind) -> None:
    attacker, bystander = {"x-forwarded-for": "203.0.113.42"}, {"x-forwarded-for": "203.0.113.43"}
    new = {"entity": "203.0.113.42", "expires_in_seconds": 3600, "reason": "floods"}
    async with open_at(front, headers=attacker) as live, open_at(front, headers=bystander) as other:
        made = await front.client.post("/api/v1/decisions", json=new, headers=await front.bearer("analyst"))
        assert made.status_code == 201
        assert await closed(live) == (1008, "blocked")
        await other.send("still here")
        assert await other.recv() == "still here"
    assert (await refused(front, headers=attacker)).response.status_code == 403
    assert len(behind.sockets) == 2


async def test_a_gateway_that_stops_says_so_to_both_sides(behind: Behind, postgres_url: str, valkey: Valkey) -> None:
    async with in_front_of(behind, postgres_url, valkey) as stage:
        client = await open_at(stage)
    assert await closed(client) == (1001, "")
    assert behind.codes == [(1001, "")]


async def test_more_websockets_than_may_be_are_a_503_until_one_leaves(
    behind: Behind, postgres_url: str, valkey: Valkey
) -> None:
    async with in_front_of(behind, postgres_url, valkey, max_tunnels=1) as stage:
        async with open_at(stage):
            assert (await refused(stage)).response.status_code == 503
            assert stage.context.registry.get_sample_value("sakimori_gateway_tunnels") == 1

        async def opens() -> bool:
            try:
                async with open_at(stage):
                    return True
            except InvalidStatus:
                return False

        await eventually(opens, 3)


@pytest.mark.parametrize("path", ["/chat/other", "/bots", "/moderation/rooms", "/chat/../moderation/rooms", "/debug"])
async def test_no_other_path_takes_a_websocket_to_the_service(front: Stage, behind: Behind, path: str) -> None:
    assert (await refused(front, path)).response.status_code == 403
    assert behind.sockets == []
