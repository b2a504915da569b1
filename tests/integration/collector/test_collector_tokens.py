"""Tokens of sources: issued and revoked while shippers ship, with the limits that they carry; and the port by TLS."""

import asyncio
import json
import ssl
import time
import uuid
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from pydantic import SecretStr, ValidationError
from starlette.applications import Starlette

from sakimori_collector.settings import CollectorSettings
from sakimori_common.context import Postgres
from sakimori_common.web import Certificate, serving
from servers.eventually import eventually

from .conftest import TOKEN, Collector, Start

LINE = json.dumps(
    {
        "message": "2026-01-16T02:00:00Z web-1 sshd[1]: Invalid user x from 192.0.2.7 port 1",
        "event.dataset": "openssh.auth",
    }
)


async def issue(postgres: Postgres, name: str = "web-1", **columns: object) -> str:
    """Write what the gateway writes when it issues a token."""
    token = f"sakimori_{uuid.uuid4().hex}"
    row: dict[str, object] = {
        "id": uuid.uuid4(),
        "name": name,
        "token_sha256": sha256(token.encode()).digest(),
        "created_by": "admin",
        **columns,
    }
    places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
    await postgres.execute(
        f"INSERT INTO gateway.sources ({', '.join(row)}, created_at) VALUES ({places}, now())", *row.values()
    )
    return token


async def post(collector: Collector, token: str, body: str | bytes = LINE, **headers: str) -> httpx.Response:
    given = {"authorization": f"Bearer {token}", **headers}
    return await collector.client.post("/ingest", content=body, headers=given)


async def is_known(collector: Collector, token: str) -> bool:
    return (await post(collector, token)).status_code == 202


async def test_a_token_is_good_at_once_and_names_its_source(start: Start, postgres: Postgres) -> None:
    collector = await start()
    token = await issue(postgres)
    await eventually(lambda: is_known(collector, token), 3)
    await eventually(collector.count)
    [row] = await collector.rows()
    assert json.loads(row["fields"])["sakimori.source"] == "web-1"
    assert collector.lines("published", "web-1") >= 1
    assert collector.lines("published", "http") == 0
    assert (await post(collector, token + "x")).status_code == 401
    assert (await post(collector, TOKEN)).status_code == 202


async def test_a_token_that_was_revoked_a_second_ago_is_refused_by_every_way_in(
    start: Start, postgres: Postgres
) -> None:
    token = await issue(postgres)
    collector = await start()
    assert await is_known(collector, token)
    await postgres.execute("UPDATE gateway.sources SET revoked_by = 'admin', revoked_at = now()")
    revoked_at = time.monotonic()

    async def _is_refused() -> bool:
        return (await post(collector, token)).status_code == 401

    await eventually(_is_refused, 5)
    assert time.monotonic() - revoked_at < 1.5
    bearer, splunk = {"authorization": f"Bearer {token}"}, {"authorization": f"Splunk {token}"}
    bulk = '{"create":{}}\n{"event.dataset":"x"}\n'
    assert (await collector.client.post("/_bulk", content=bulk, headers=bearer)).status_code == 401
    hec = await collector.client.post("/services/collector", content='{"event":"x"}', headers=splunk)
    assert (hec.status_code, hec.json()["code"]) == (403, 4)


async def test_a_revocation_whose_notice_is_lost_holds_within_the_poll(start: Start, postgres: Postgres) -> None:
    token = await issue(postgres)
    collector = await start()
    assert await is_known(collector, token)
    await postgres.execute("ALTER TABLE gateway.sources DISABLE TRIGGER sources_are_told")
    await postgres.execute("UPDATE gateway.sources SET revoked_at = now()")

    async def _is_refused() -> bool:
        return (await post(collector, token)).status_code == 401

    await eventually(_is_refused, 3)


async def test_while_the_database_is_away_known_tokens_stay_good_and_of_others_nobody_can_tell(
    start: Start, postgres: Postgres, postgres_server: Any
) -> None:
    token = await issue(postgres)
    collector = await start()
    assert await is_known(collector, token)
    await asyncio.to_thread(postgres_server.stop)

    async def _cannot_tell() -> bool:
        return (await post(collector, "another-token-of-nobody")).status_code == 503

    await eventually(_cannot_tell, 15)
    known = await post(collector, token, "nonsense")
    assert known.status_code == 503  # known, but a rejected line cannot be kept now
    assert known.json()["code"] == "temporarily_unavailable"
    unknown = await post(collector, "another-token-of-nobody")
    assert unknown.json()["code"] == "tokens_unavailable"
    assert unknown.headers["retry-after"]
    await asyncio.to_thread(postgres_server.start)

    async def _is_refused() -> bool:
        return (await post(collector, "another-token-of-nobody")).status_code == 401

    await eventually(_is_refused, 30)


async def test_a_source_over_its_rate_is_told_when_to_come_again(start: Start, postgres: Postgres) -> None:
    token = await issue(postgres, lines_per_second=1)
    collector = await start()
    first = await post(collector, token, "\n".join([LINE] * 10))
    assert first.status_code == 202
    assert first.headers["ratelimit-policy"] == '"lines";q=10;w=10'
    assert first.headers["ratelimit"].startswith('"lines";r=0;')
    second = await post(collector, token, "\n".join([LINE] * 5))
    assert (second.status_code, second.json()["code"]) == (429, "rate_exceeded")
    assert 1 <= int(second.headers["retry-after"]) <= 5
    body = '{"create":{}}\n{"event.dataset":"x"}\n' * 5
    bulk = await collector.client.post("/_bulk", content=body, headers={"authorization": f"Bearer {token}"})
    assert (bulk.status_code, bulk.json()["error"]["type"]) == (429, "es_rejected_execution_exception")
    assert (await post(collector, TOKEN)).status_code == 202
    assert collector.lines("refused", "web-1") == 10
    assert collector.lines("received", "web-1") == 10


async def test_a_shipper_that_throws_away_what_is_refused_waits_for_its_answer_instead(
    start: Start, postgres: Postgres
) -> None:
    token = await issue(postgres, lines_per_second=10)
    collector = await start()
    collector.client.headers.pop("user-agent")
    for lines in (100, 30):
        body = '{"create":{}}\n{"event.dataset":"my.app"}\n' * lines
        request = collector.client.build_request(
            "POST", "/_bulk", content=body, headers={"authorization": f"Bearer {token}"}
        )
        assert "user-agent" not in request.headers
        begun = time.monotonic()
        assert (await collector.client.send(request)).status_code == 200
    assert time.monotonic() - begun > 0.5
    assert collector.lines("received", "web-1") == 130


async def test_a_sources_own_size_and_format_count(start: Start, postgres: Postgres) -> None:
    token = await issue(postgres, max_body_bytes=2000, format="openssh.auth")
    collector = await start()
    assert (await post(collector, token, "x" * 2001)).status_code == 413
    plain = await post(collector, token, "nonsense", **{"content-type": "text/plain"})
    assert plain.json()["rejected"] == 1
    [rejected] = await collector.rejected()
    assert (rejected["source"], rejected["format"]) == ("web-1", "openssh.auth")


async def test_one_source_cannot_take_the_ids_of_anothers_events(start: Start, postgres: Postgres) -> None:
    tokens = [await issue(postgres, name) for name in ("web-1", "web-2")]
    collector = await start()
    event = json.dumps({"@timestamp": "2026-01-16T02:00:00Z", "event.dataset": "my.app", "event.id": "a-1"})
    for token in (*tokens, *tokens):
        assert (await post(collector, token, event, **{"idempotency-key": "k"})).status_code == 202

    async def _are_two() -> bool:
        return await collector.count() == 2

    await eventually(_are_two)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[trustme.CA, Path, Path]:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "collector.example")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    issued.private_key_pem.write_to_path(key)
    for part in issued.cert_chain_pems:
        part.write_to_path(chain, append=True)
    return authority, chain, key


async def test_with_a_certificate_the_port_speaks_tls_and_nothing_else(
    start: Start, certificate: tuple[trustme.CA, Path, Path]
) -> None:
    authority, chain, key = certificate
    collector = await start(tls_certificate=chain, tls_key=key)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    place = f"https://127.0.0.1:{collector.client.base_url.port}"
    async with httpx.AsyncClient(base_url=place, verify=trust) as client:
        answer = await client.post("/ingest", content=LINE, headers={"authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 202
    async with httpx.AsyncClient(base_url=place) as stranger:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await stranger.get("/")
    with pytest.raises(httpx.TransportError):
        await collector.post(LINE)


async def test_a_certificate_that_is_none_is_an_error_before_the_port_is_bound(
    certificate: tuple[trustme.CA, Path, Path], tmp_path: Path
) -> None:
    _, chain, _ = certificate
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no key")
    for key in (wrong, tmp_path / "missing.pem"):
        with pytest.raises(OSError, match=r"PEM|No such file"):
            async with serving(Starlette(), "127.0.0.1", 0, certificate=Certificate(chain, key)):
                pass


def test_a_certificate_without_its_key_is_a_mistake_in_the_settings() -> None:
    secret = SecretStr("a secret of the tests")
    given: dict[str, Any] = {
        "database_url": SecretStr("postgresql://x"),
        "valkey_url": SecretStr("redis://x"),
        "ingest_token": secret,
        "edge_token": secret,
        "privacy_key": secret,
    }
    assert CollectorSettings(**given).tls_key is None
    for one in ("tls_certificate", "tls_key"):
        with pytest.raises(ValidationError, match="COLLECTOR_TLS_CERTIFICATE and COLLECTOR_TLS_KEY go together"):
            CollectorSettings(**{**given, one: Path("some.pem")})
