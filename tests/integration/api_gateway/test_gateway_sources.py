"""Sources of logs: their tokens, shown once, and when each was last seen."""

from hashlib import sha256

from gateway.stage import Stage

NEW = {"name": "web-1", "format": "nginx.access", "lines_per_second": 100}


async def test_a_token_is_shown_once_and_only_its_digest_is_kept(stage: Stage) -> None:
    admin = await stage.bearer("admin")
    made = await stage.client.post("/api/v1/sources", json=NEW, headers=admin)
    assert made.status_code == 201
    token = made.json()["token"]
    assert token.startswith("sakimori_")
    assert len(token) == len("sakimori_") + 43  # 256 bits in base64
    [row] = await stage.postgres.fetch("SELECT * FROM public.ingest_sources")
    assert bytes(row["token_sha256"]) == sha256(token.encode()).digest()
    assert (row["name"], row["format"], row["lines_per_second"]) == ("web-1", "nginx.access", 100)
    listed = await stage.client.get("/api/v1/sources", headers=await stage.bearer("viewer"))
    [source] = listed.json()["sources"]
    assert (source["name"], source["kind"], source["created_by"], source["last_seen_at"]) == (
        "web-1",
        "token",
        "admin",
        None,
    )
    everything = await stage.postgres.fetchval("SELECT string_agg(audit::text, ' ') FROM gateway.audit AS audit")
    assert token not in listed.text
    assert token not in everything


async def test_a_revoked_name_may_have_a_new_token_and_each_step_is_audited(stage: Stage) -> None:
    admin = await stage.bearer("admin")
    first = await stage.client.post("/api/v1/sources", json=NEW, headers=admin)
    again = await stage.client.post("/api/v1/sources", json=NEW, headers=admin)
    assert again.status_code == 409
    revoked = await stage.client.delete("/api/v1/sources/web-1", headers=admin)
    assert (revoked.json()["revoked_by"], revoked.json()["revoked_at"] is None) == ("admin", False)
    assert (await stage.client.delete("/api/v1/sources/web-1", headers=admin)).status_code == 404
    second = await stage.client.post("/api/v1/sources", json=NEW, headers=admin)
    assert second.json()["token"] != first.json()["token"]
    listed = (await stage.client.get("/api/v1/sources", headers=admin)).json()["sources"]
    assert [source["revoked_at"] is None for source in listed] == [True, False]
    assert [action for _, action, _, _ in await stage.audit("source:web-1")] == [
        "source_added",
        "source_revoked",
        "source_added",
    ]


async def test_what_the_collector_has_seen_is_listed_whether_it_has_a_token_or_not(stage: Stage) -> None:
    admin = await stage.bearer("admin")
    await stage.client.post("/api/v1/sources", json=NEW, headers=admin)
    await stage.postgres.execute(
        "INSERT INTO collector.source_activity (source, first_seen_at, last_seen_at, lines, silent_at) VALUES"
        " ('web-1', '2026-01-16T02:00:00Z', '2026-01-16T03:00:00Z', 7, NULL),"
        " ('/var/log/auth.log', '2026-01-16T02:00:00Z', '2026-01-16T02:30:00Z', 5, '2026-01-16T03:00:00Z')"
    )
    listed = (await stage.client.get("/api/v1/sources", headers=admin)).json()["sources"]
    shown = [(each["name"], each["kind"], each["last_seen_at"], each["lines"], each["silent_since"]) for each in listed]
    assert shown == [
        ("/var/log/auth.log", "seen", "2026-01-16T02:30:00.000Z", 5, "2026-01-16T02:30:00.000Z"),
        ("web-1", "token", "2026-01-16T03:00:00.000Z", 7, None),
    ]


async def test_sources_are_refused_with_a_reason(stage: Stage) -> None:
    admin = await stage.bearer("admin")
    for change in (
        {"name": "Web 1"},
        {"name": "http"},
        {"name": "a" * 64},
        {"name": "/var/log/x"},
        {"format": "x y"},
        {"lines_per_second": 0},
        {"max_body_bytes": 1},
        {"silent_after_minutes": 0},
        {"token": "mine"},
    ):
        answer = await stage.client.post("/api/v1/sources", json=NEW | change, headers=admin)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"]
    assert await stage.postgres.fetchval("SELECT count(*) FROM gateway.sources") == 0
