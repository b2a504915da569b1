"""From a post to the phone of an operator: one trace id all the way (S0-05)."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sakimori_common.context import Postgres, ServiceContext, Valkey
from sakimori_common.settings import load_settings
from sakimori_common.web import serving
from sakimori_notifier.settings import NotifierSettings
from sakimori_notifier.wiring import running as notifier_running
from servers.eventually import eventually

from .conftest import SPAM, scene


async def test_one_troll_is_refused_logged_found_and_told_of_under_one_trace_id(
    valkey: Valkey, postgres: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[dict[str, Any]] = []

    async def discord(request: Request) -> Response:
        told.append(msgspec.json.decode(await request.body()))
        return Response(status_code=204)

    sink = Starlette(routes=[Route("/hook", discord, methods=["POST"])])
    async with serving(sink, "127.0.0.1", 0) as port, scene(valkey, postgres, tmp_path, notifies=False) as stage:
        notifier = ServiceContext.of("notifier", stage.chat.bus, postgres, valkey)
        settings = load_settings(
            NotifierSettings,
            database_url=SecretStr("postgresql://unused@localhost/unused"),
            valkey_url=SecretStr("redis://unused"),
            discord_webhook_url=SecretStr(f"http://127.0.0.1:{port}/hook"),
        )
        async with notifier_running(settings, notifier):
            troll = await stage.chat.visitor()
            answers = [await troll.post(line) for line in SPAM[:7]]
            await eventually(lambda: told, 20)
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    trace_id = answers[6].headers["x-request-id"]
    events = [event for event in stage.events if event.fields.get("trace.id") == trace_id]
    assert [event.fields["event.action"] for event in events] == ["security.blocked_action_attempt"]
    logged = [line for line in capsys.readouterr().out.splitlines() if "security_event_reported" in line]
    assert any(trace_id in line for line in logged)
    row = await postgres.fetchrow("SELECT rule_id, trace_id FROM public.findings")
    assert tuple(row) == ("chat_flood", trace_id)
    (notice,) = told
    assert "chat_flood" in notice["content"]
    assert f"Trace: {trace_id}" in notice["content"]
    assert notice["allowed_mentions"] == {"parse": []}
