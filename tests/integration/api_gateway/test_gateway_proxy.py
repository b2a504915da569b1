"""The way through to the services behind, and what every answer carries."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.stage import EDGE_TOKEN, Stage, staged
from sakimori_common.context import Valkey
from sakimori_common.web import serving
from servers.eventually import eventually
from servers.ports import free_ports

MEBIBYTE = 1 << 20
CHUNK = bytes(range(256)) * 256


@dataclass
class Behind:
    """A service behind the gateway: remembers what it was asked, answers as the path says."""

    requests: list[Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    has_reader: bool = False

    async def answer(self, request: Request) -> Response:
        self.requests.append(request)
        body = await request.body()
        self.bodies.append(body)
        if request.url.path.endswith("/large"):
            return StreamingResponse(self._large())
        if request.url.path.endswith("/endless"):
            return StreamingResponse(self._endless())
        if request.url.path.endswith("/broken"):
            return StreamingResponse(self._broken(), headers={"content-length": "1000000"})
        answer = PlainTextResponse(hashlib.sha256(body).hexdigest())
        answer.set_cookie("a", "1")
        answer.set_cookie("b", "2")
        answer.headers["content-security-policy"] = "default-src 'self'"
        answer.headers["keep-alive"] = "timeout=5"
        return answer

    @staticmethod
    async def _large() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield CHUNK

    @staticmethod
    async def _broken() -> AsyncIterator[bytes]:
        yield CHUNK
        await asyncio.sleep(0.01)

    async def _endless(self) -> AsyncIterator[bytes]:
        self.has_reader = True
        try:
            while True:
                yield CHUNK
                await asyncio.sleep(0.005)
        finally:
            self.has_reader = False

    def headers(self) -> httpx.Headers:
        return httpx.Headers(self.requests[-1].headers.raw)


@asynccontextmanager
async def in_front_of(behind: Behind, postgres_url: str, valkey: Valkey, **changes: object) -> AsyncIterator[Stage]:
    app = Starlette(
        routes=[Route("/{path:path}", behind.answer, methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])]
    )
    async with serving(app, "127.0.0.1", 0) as port:
        url = f"http://127.0.0.1:{port}"
        places = {"chat_url": url, "collector_url": url, "sensor_url": url}
        async with staged(postgres_url, valkey, **(places | changes)) as stage:
            yield stage


@pytest.fixture
async def behind() -> Behind:
    return Behind()


@pytest.fixture
async def front(behind: Behind, postgres_url: str, valkey: Valkey) -> AsyncIterator[Stage]:
    async with in_front_of(behind, postgres_url, valkey) as stage:
        yield stage


async def test_chat_gets_path_and_query_as_they_were_sent(front: Stage, behind: Behind) -> None:
    for target in ("/chat", "/chat/poll?after=5&x=%E9%98%B2", "/chat/a%2Fb/../c"):
        request = httpx.Request("GET", front.url, extensions={"target": target.encode()})
        assert (await front.client.send(request)).status_code == 200
        scope = behind.requests[-1].scope
        query = scope["query_string"].decode()
        assert scope["raw_path"].decode() + (f"?{query}" if query else "") == target


async def test_a_bots_signed_request_passes_byte_for_byte(front: Stage, behind: Behind) -> None:
    target, body = "/bots/rooms/lobby%2Fx/messages?after=7&b=%E9%98%B2&&a", CHUNK + b"\r\n{}"
    proof = [
        ("x-sakimori-bot", "bot-0123456789abcdef"),
        ("x-sakimori-timestamp", "1768500000"),
        ("x-sakimori-nonce", "n-1"),
        ("x-sakimori-nonce", "n-2"),
        ("x-sakimori-signature", "v1=00ff"),
    ]
    request = httpx.Request(
        "POST",
        front.url,
        headers=[*proof, ("x-sakimori-operator", "admin")],
        content=body,
        extensions={"target": target.encode()},
    )
    assert (await front.client.send(request)).status_code == 200
    scope = behind.requests[-1].scope
    assert scope["raw_path"].decode() + "?" + scope["query_string"].decode() == target
    assert behind.bodies[-1] == body
    got = behind.headers()
    assert got.get_list("x-sakimori-nonce") == ["n-1", "n-2"]
    assert [got[name] for name in ("x-sakimori-bot", "x-sakimori-timestamp", "x-sakimori-signature")] == [
        "bot-0123456789abcdef",
        "1768500000",
        "v1=00ff",
    ]
    assert "x-sakimori-operator" not in got


async def test_the_gateway_says_who_the_client_is_and_nobody_else_can(front: Stage, behind: Behind) -> None:
    sent = {
        "x-forwarded-for": "192.0.2.66, 203.0.113.42",
        "x-forwarded-host": "evil.example",
        "forwarded": "for=192.0.2.66",
        "x-sakimori-edge": "guess",
        "x-request-id": "mine",
        "connection": "x-hop",
        "x-hop": "1",
        "cookie": "anon_id=1",
    }
    answer = await front.client.get("/chat", headers=sent)
    got = behind.headers()
    assert got["x-forwarded-for"] == "203.0.113.42"
    assert got.get_list("x-sakimori-edge") == [EDGE_TOKEN]
    assert got["x-forwarded-host"] == front.url.removeprefix("http://")
    assert got["host"] == front.url.removeprefix("http://")
    assert got["x-forwarded-proto"] == "http"
    assert got["x-request-id"] == answer.headers["x-request-id"] != "mine"
    assert got["cookie"] == "anon_id=1"
    assert "forwarded" not in got
    assert "x-hop" not in got
    assert "accept-encoding" in got
    assert EDGE_TOKEN not in str(answer.headers)


async def test_the_answer_comes_with_every_cookie_and_its_own_policy(front: Stage) -> None:
    answer = await front.client.get("/chat")
    assert [cookie.partition(";")[0] for cookie in answer.headers.get_list("set-cookie")] == ["a=1", "b=2"]
    assert answer.headers["content-security-policy"] == "default-src 'self'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(answer.headers.get_list("date")) == 1
    assert "keep-alive" not in answer.headers
    front.client.cookies.clear()
    await front.client.get("/chat")


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_body_of_5_mb_passes_unchanged(front: Stage, behind: Behind, chunked: bool) -> None:
    body = CHUNK * 80

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    headers = {"authorization": "Bearer producer"}
    answer = await front.client.post("/ingest", content=pieces() if chunked else body, headers=headers)
    assert answer.text == hashlib.sha256(body).hexdigest()
    assert behind.headers()["authorization"] == "Bearer producer"
    assert ("transfer-encoding" in behind.headers()) is chunked


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/_bulk?filter_path=errors,items.*.error"),
        ("PUT", "/logs-nginx.access-default/_bulk"),
        ("GET", "/elasticsearch"),
        ("HEAD", "/elasticsearch/"),
        ("POST", "/elasticsearch/_bulk"),
        ("PUT", "/elasticsearch/_index_template/filebeat-8.17.0"),
        ("POST", "/services/collector"),
        ("POST", "/services/collector/raw?sourcetype=nginx.access"),
        ("GET", "/services/collector/health/1.0"),
    ],
)
async def test_what_shippers_ask_reaches_the_collector_as_it_was_sent(
    front: Stage, behind: Behind, method: str, target: str
) -> None:
    body = b"\x1f\x8b" + CHUNK * 20 if method == "POST" else b""
    headers = {"authorization": "Splunk a-token", "content-encoding": "gzip"}
    answer = await front.client.request(method, target, content=body, headers=headers)
    assert answer.status_code == 200
    scope = behind.requests[-1].scope
    query = scope["query_string"].decode()
    assert scope["path"] + (f"?{query}" if query else "") == target
    assert (behind.headers()["authorization"], behind.headers()["content-encoding"]) == ("Splunk a-token", "gzip")
    assert behind.bodies[-1] == body


async def test_an_answer_of_5_mb_passes_unchanged(front: Stage) -> None:
    answer = await front.client.get("/chat/large")
    assert answer.content == CHUNK * 80


async def test_an_answer_that_breaks_off_is_an_error_for_the_client_too(front: Stage) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await front.client.get("/chat/broken")
    assert (await front.client.get("/chat")).status_code == 200


async def test_a_client_that_leaves_ends_the_answer_of_the_service(front: Stage, behind: Behind) -> None:
    async with front.client.stream("GET", "/chat/endless") as answer:
        await anext(answer.aiter_raw())
        assert behind.has_reader
    await eventually(lambda: not behind.has_reader, 3)


async def test_bodies_that_are_too_large_are_refused_whether_they_say_so_or_not(front: Stage, behind: Behind) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(170):
            yield CHUNK

    for content in (CHUNK * 170, pieces()):
        try:
            answer = await front.client.post("/ingest", content=content)
        except httpx.TransportError:
            continue  # the answer may come while the body is still sent
        assert answer.status_code == 413
        assert answer.json()["code"] == "body_too_large"
    assert all(len(body) < 10 * MEBIBYTE for body in behind.bodies)
    small = await front.client.post("/api/v1/login", content=b"x" * 70_000)
    assert small.status_code == 413


async def test_a_capture_reaches_the_sensor_without_the_operators_token_and_is_audited(
    front: Stage, behind: Behind
) -> None:
    capture = CHUNK * 200
    answer = await front.client.post(
        "/api/v1/captures?name=a.pcap", content=capture, headers=await front.bearer("analyst")
    )
    assert answer.text == hashlib.sha256(capture).hexdigest()
    assert behind.requests[-1].scope["path"] == "/captures"
    assert behind.requests[-1].scope["query_string"] == b"name=a.pcap"
    assert "authorization" not in behind.headers()
    assert await front.audit("captures") == [("analyst", "capture_submitted", None, {"bytes": len(capture)})]


async def test_packets_and_recordings_are_the_sensors_for_analysts_and_audited(front: Stage, behind: Behind) -> None:
    analyst, identity = await front.bearer("analyst"), "0" * 32
    new = {"interface": "eth0", "filter": "port 1481", "seconds": 30, "max_bytes": 100_000}
    asked = [
        ("GET", "/api/v1/packets?address=192.0.2.1&port=53&port=5353", None),
        ("POST", "/api/v1/recordings", new),
        ("GET", "/api/v1/recordings", None),
        ("GET", f"/api/v1/recordings/{identity}", None),
        ("PUT", f"/api/v1/recordings/{identity}/stop", None),
        ("GET", f"/api/v1/recordings/{identity}/packets", None),
    ]
    for method, path, body in asked:
        await front.client.request(method, path, json=body, headers=analyst)
        scope = behind.requests[-1].scope
        query = scope["query_string"].decode()
        assert (scope["method"], scope["path"] + (f"?{query}" if query else "")) == (
            method,
            path.removeprefix("/api/v1"),
        )
        assert "authorization" not in behind.headers()
        assert behind.headers()["x-sakimori-edge"]
        refused = await front.client.request(method, path, json=body, headers=await front.bearer("viewer"))
        assert refused.status_code == 403
    assert json.loads(next(body for body in behind.bodies if body.startswith(b"{"))) == new
    assert await front.audit("packets") == [
        ("analyst", "packets_read", None, {"address": ["192.0.2.1"], "port": [53, 5353]})
    ]
    assert await front.audit("recordings") == [("analyst", "recording_started", None, new)]
    assert [action for _, action, _, _ in await front.audit(f"recording:{identity}")] == [
        "recording_stopped",
        "recording_read",
    ]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/packets?port=x"),
        ("GET", "/api/v1/packets?prot=6"),
        ("GET", "/api/v1/recordings/../captures"),
        ("GET", "/api/v1/recordings/x%2fy"),
        ("PUT", "/api/v1/recordings/short/stop"),
        ("POST", "/api/v1/recordings"),
    ],
)
async def test_what_makes_no_sense_never_reaches_the_sensor(
    front: Stage, behind: Behind, method: str, path: str
) -> None:
    before = len(behind.requests)
    answer = await front.client.request(method, path, headers=await front.bearer("analyst"))
    assert answer.status_code in {404, 405, 422}
    assert len(behind.requests) == before


async def test_a_service_that_is_away_is_a_503_that_says_when_to_try_again(postgres_url: str, valkey: Valkey) -> None:
    names = ("chat_url", "collector_url", "sensor_url")
    places = {name: f"http://127.0.0.1:{port}" for name, port in zip(names, free_ports(3), strict=True)}
    async with staged(postgres_url, valkey, **places) as stage:
        headers = await stage.bearer("analyst")
        for method, path in (("GET", "/chat"), ("POST", "/ingest"), ("POST", "/api/v1/captures")):
            answer = await stage.client.request(
                method, path, headers=headers, content=b"x" if method == "POST" else b""
            )
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            assert answer.headers["content-type"] == "application/problem+json"


async def _answered(front: Stage, head: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(front.client.base_url.host, front.client.base_url.port)
    writer.write(head + b"connection: close\r\n\r\n")
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    return answer


async def test_what_cannot_be_passed_on_is_the_clients_fault_and_no_outage(front: Stage, behind: Behind) -> None:
    answer = await _answered(front, b"GET /chat HTTP/1.1\r\nhost: x\r\nhost: y\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"bad_request"' in answer
    assert behind.requests == []
    assert b"sakimori_gateway_upstream_failures_total{" not in generate_latest(front.context.registry)


async def test_white_space_around_a_header_is_not_of_its_value(front: Stage, behind: Behind) -> None:
    answer = await _answered(front, b"GET /chat HTTP/1.1\r\nhost: x\r\nx-padded: \t a b \t \r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert behind.headers()["x-padded"] == "a b"


async def test_methods_and_paths_that_are_not_there_are_problems(front: Stage) -> None:
    for method, path, status in (
        ("GET", "/nothing", 404),
        ("GET", "/chats", 404),
        ("GET", "/ingest", 405),
        ("DELETE", "/api/v1/login", 405),
        ("GET", "/assets/../../etc/passwd", 404),
        ("GET", "/assets/x.js", 404),
        ("GET", "/metrics", 404),
        ("PROPFIND", "/", 405),
    ):
        answer = await front.client.request(method, path)
        assert answer.status_code == status, (method, path)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-request-id"]


async def test_every_answer_carries_the_security_headers(front: Stage) -> None:
    for path in ("/", "/docs", "/openapi.json", "/nothing", "/api/v1/findings", "/assets/swagger-ui.css"):
        headers = (await front.client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-frame-options"] == "DENY"
        assert headers["permissions-policy"] == "geolocation=(), microphone=(), camera=()"
        assert "unsafe" not in headers["content-security-policy"]
        assert len(headers["x-request-id"]) == 32
        assert "strict-transport-security" not in headers
        assert "server" not in headers


async def test_the_pages_load_nothing_from_elsewhere_and_no_inline_script(front: Stage) -> None:
    for path in ("/", "/docs"):
        page = (await front.client.get(path)).text
        assert "//" not in page.replace("<!doctype html>", "")
        assert "<script>" not in page
        assert "style=" not in page
        assert "onclick" not in page
    assets = ("docs.js", "pages.css", "swagger-ui.css", "swagger-ui-bundle.js", "favicon.png")
    assert [(await front.client.get(f"/assets/{name}")).status_code for name in assets] == [200] * 5


async def test_behind_tls_it_says_so_and_sends_plain_http_there(
    behind: Behind, postgres_url: str, valkey: Valkey
) -> None:
    async with in_front_of(behind, postgres_url, valkey, cookie_secure=True) as stage:
        answer = await stage.client.get("/chat", headers={"x-forwarded-proto": "https"})
        assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
        assert behind.headers()["x-forwarded-proto"] == "https"
        plain = await stage.client.get("/chat?x=1", headers={"x-forwarded-proto": "http", "host": "soc.example"})
        assert plain.status_code == 301
        assert plain.headers["location"] == "https://soc.example/chat?x=1"


async def test_metrics_name_routes_and_never_what_a_client_made_up(front: Stage) -> None:
    await front.client.get("/chat/some/secret/path")
    await front.client.get("/made-up-by-a-client")
    await front.client.request("BREW", "/")
    samples = [sample for family in front.context.registry.collect() for sample in family.samples]
    routes = {sample.labels["route"] for sample in samples if "route" in sample.labels}
    assert "/chat/{path:path}" in routes
    assert not any("secret" in route or "made-up" in route for route in routes)
    assert "BREW" not in {sample.labels.get("method") for sample in samples}
