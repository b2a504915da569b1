"""Plays the scenarios one after the other and tells what came of each."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from rich.console import Console
from rich.text import Text

from sakimori.demo.scenarios import DemoError, Expectation, Scenario, Tools, new_address
from sakimori.demo.target import Target, sign_in
from sakimori.demo.watch import Watch, notice_of, watching

QUIET_SECONDS = 1.0
"""How long a scenario that must stay quiet is listened to."""
COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}
EXPECTED_BY_THE_CLOCK = {"unusual_hour"}
"""What ordinary traffic may raise depending on when the demo is played."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What playing needs beside the scenario's own tools."""

    watch: Watch
    console: Console
    timeout_seconds: float


async def play(target: Target, scenarios: Sequence[Scenario], timeout_seconds: float, console: Console) -> bool:
    """Play scenarios; returns whether everything expected came and nothing else. Raises TargetError."""
    timeout = httpx.Timeout(10.0, read=30.0)
    async with httpx.AsyncClient(base_url=target.gateway, timeout=timeout, trust_env=False) as client:
        token = await sign_in(target, client)
        async with watching(target.gateway, token) as watch:
            stage = Stage(watch, console, timeout_seconds)
            results = []
            for number, scenario in enumerate(scenarios, 1):
                tools = Tools(client, token, target.ingest_token, new_address(), f"demo/{time.time_ns()}")
                console.print(Text(f"\n{number}. {scenario.title}", style="bold"))
                results.append(await _play_one(scenario, tools, stage))
    failed = results.count(False)
    console.print(
        f"\n{len(results) - failed} of {len(results)} went as they should", style="red" if failed else "green"
    )
    return not failed


async def _play_one(scenario: Scenario, tools: Tools, stage: Stage) -> bool:
    started = time.time()
    try:
        stage.console.print(f"   sent      {await scenario.play(tools)}", markup=False)
    except (DemoError, httpx.HTTPError) as error:
        stage.console.print(f"   FAILED    {error or type(error).__name__}", style="red", markup=False)
        return False
    expected = scenario.expected(tools)
    if not expected:
        return await _stays_quiet(tools, stage, started)
    return all([await _came(each, tools, stage, started) for each in expected])


async def _stays_quiet(tools: Tools, stage: Stage, since: float) -> bool:
    await stage.watch.wait_for(Expectation("", tools.address), since, QUIET_SECONDS)
    raised = {sighting.finding["rule_id"] for sighting in stage.watch.about(tools.address, since)}
    raised -= EXPECTED_BY_THE_CLOCK
    stage.console.print(f"   found     {', '.join(sorted(raised)) or 'nothing, as it should be'}")
    return not raised


async def _came(expected: Expectation, tools: Tools, stage: Stage, since: float) -> bool:
    sighting = await stage.watch.wait_for(expected, since, stage.timeout_seconds)
    if sighting is None:
        _missing(stage, f"{expected.rule_id} did not come")
        return False
    finding = sighting.finding
    stage.console.print(
        Text.assemble(
            "   found     ",
            (f"[{finding['severity'].upper()}] ", COLOURS[finding["severity"]]),
            (finding["rule_id"], "bold"),
            f"  {finding['message']}  ",
            (f"{(sighting.at - since) * 1000:.0f} ms", "dim"),
        )
    )
    notice = await notice_of(tools.client, tools.token, finding["id"], stage.timeout_seconds)
    if notice is None:
        _missing(stage, "no notice of it was delivered")
        return False
    stage.console.print(f"   told      {_told(notice, since)}", markup=False)
    return True


def _missing(stage: Stage, what: str) -> None:
    stage.console.print(f"   MISSING   {what} within {stage.timeout_seconds:g} s", style="red", markup=False)


def _told(notice: dict[str, Any], since: float) -> str:
    if notice["status"] == "suppressed" or notice["delivered_at"] is None:
        return f"{notice['channel']}: held back, the same was told less than five minutes ago"
    seconds = datetime.fromisoformat(notice["delivered_at"]).timestamp() - since
    if seconds < 0:
        return f"{notice['channel']}: {-seconds:.0f} s ago, when this finding was opened"
    return f"{notice['channel']}  {seconds * 1000:.0f} ms"
