"""What `docker compose up` brings: closed to the outside, complete, and losing nothing when a part dies."""

import json
import subprocess
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from dashboards import PROMETHEUS, queries
from e2e.stack import REPOSITORY, SERVICES, Stack, wait_until


def test_compose_refuses_to_start_without_secrets() -> None:
    result = subprocess.run(
        ["docker", "compose", "--env-file", "/dev/null", "-f", "docker-compose.yml", "config", "-q"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "run make env" in result.stderr


def test_only_the_gateway_and_grafana_have_a_port_on_the_host(stack: Stack) -> None:
    published = {
        container["Config"]["Labels"]["com.docker.compose.service"]
        for container in _containers(stack)
        if any(container["HostConfig"]["PortBindings"].values())
    }
    assert published - {"receiver"} <= {"api-gateway", "grafana"}
    assert "api-gateway" in published


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_runs_with_the_least_it_needs(stack: Stack, service: str) -> None:
    container = next(
        item for item in _containers(stack) if item["Config"]["Labels"]["com.docker.compose.service"] == service
    )
    host = container["HostConfig"]
    assert container["Config"]["User"] == "10001:10001"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert (host["CapAdd"] or []) == (["NET_RAW"] if service == "packet-sensor" else [])
    assert not host["Privileged"]
    assert "no-new-privileges:true" in host["SecurityOpt"]


def test_inner_services_are_on_an_internal_network_only(stack: Stack) -> None:
    networks = json.loads(subprocess.check_output(["docker", "network", "inspect", f"{stack.project}_inner"]))
    assert networks[0]["Internal"]
    for container in _containers(stack):
        name = container["Config"]["Labels"]["com.docker.compose.service"]
        outside = {network.removeprefix(f"{stack.project}_") for network in container["NetworkSettings"]["Networks"]}
        if name in {"chat", "collector", "detector", "rabbitmq", "valkey", "timescaledb", "prometheus"}:
            assert outside == {"inner"}, name


def test_the_demo_finds_everything_and_slack_and_discord_hear_of_it(stack: Stack) -> None:
    result = stack.sakimori("demo", "--env-file", str(stack.env_file), "--url", stack.gateway)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "7 of 7 went as they should" in result.stdout
    received = stack.received()
    slack = [item["body"] for item in received if item["path"] == "/slack"]
    discord = [item["body"] for item in received if item["path"] == "/discord"]
    assert sum("sql_injection" in body["text"] for body in slack) == 1
    assert not any("brute_force_attack" in body["text"] for body in slack)
    assert any("chat_ban_evasion" in body["content"] for body in discord)
    assert all(body["allowed_mentions"] == {"parse": []} for body in discord)


def test_the_gateway_lets_nobody_in_without_a_token(stack: Stack) -> None:
    assert stack.call("GET", "/api/v1/findings")[0] == 401
    assert stack.call("POST", "/ingest", b"{}", token="wrong", content_type="application/x-ndjson")[0] == 401
    assert stack.call("GET", "/chat")[0] == 200


def test_every_prometheus_panel_can_be_answered_and_every_service_is_scraped(stack: Stack) -> None:
    def up() -> bool:
        jobs = {sample["metric"]["job"] for sample in stack.prometheus("up == 1")}
        return {*SERVICES, "rabbitmq", "rabbitmq-queues"} <= jobs

    wait_until(up, "all services are scraped", 90)
    for panel, query in queries(PROMETHEUS).items():
        assert isinstance(stack.prometheus(query.text), list), panel
    assert stack.prometheus('sum(rabbitmq_detailed_queue_messages{queue="detector.events"})')


def test_nothing_is_lost_or_doubled_while_a_detector_is_killed(stack: Stack) -> None:
    stack.up("--no-recreate", "--scale", "detector=3")
    before = int(stack.sql("SELECT count(*) FROM events"))
    attackers = [f"198.18.{number // 250}.{number % 250 + 1}" for number in range(500)]
    sender = threading.Thread(target=_send_failed_logins, args=(stack, attackers))
    sender.start()
    victim = stack.compose("ps", "-q", "detector").split()[0]
    time.sleep(1.0)
    subprocess.run(["docker", "kill", "--signal", "KILL", victim], check=True, capture_output=True)
    sender.join()
    wait_until(lambda: int(stack.sql("SELECT count(*) FROM events")) >= before + 5 * len(attackers), "all rows stored")
    query = "SELECT count(*) FROM findings WHERE rule_id = 'brute_force_attack' AND entity LIKE '198.18.%'"
    wait_until(lambda: int(stack.sql(query)) >= len(attackers), "all attackers found")
    assert int(stack.sql("SELECT count(*) FROM events")) == before + 5 * len(attackers)
    assert int(stack.sql(query)) == len(attackers)
    assert stack.sql(query.replace("count(*)", "min(count) || ' ' || max(count)")) == "5 5"
    told = (
        "SELECT max(times) FROM (SELECT count(*) AS times FROM deliveries JOIN findings ON findings.id = finding_id "
        "WHERE deliveries.status = 'sent' AND entity LIKE '198.18.%' GROUP BY finding_id, channel) AS each"
    )
    wait_until(lambda: stack.sql(told), "somebody was told")
    assert stack.sql(told) == "1"
    assert stack.prometheus('sum(rabbitmq_detailed_queue_messages{queue=~".*[.]dead"})')[0]["value"][1] == "0"


def _containers(stack: Stack) -> list[dict[str, Any]]:
    ids = stack.compose("ps", "-q").split()
    containers: list[dict[str, Any]] = json.loads(subprocess.check_output(["docker", "inspect", *ids]))
    return containers


def _send_failed_logins(stack: Stack, attackers: list[str]) -> None:
    """Five failed logins each, in rounds, so that one attacker's failures meet different replicas."""
    token = stack.secrets()["INGEST_TOKEN"]
    for _ in range(5):
        for start in range(0, len(attackers), 50):
            moment = datetime.now(UTC).isoformat()
            lines = [
                json.dumps(
                    {
                        "message": f"{moment} web-1 sshd[7]: Failed password for root from {address} port 40000 ssh2",
                        "event.dataset": "openssh.auth",
                    }
                )
                for address in attackers[start : start + 50]
            ]
            status, answer = stack.call(
                "POST", "/ingest", "\n".join(lines).encode(), token=token, content_type="application/x-ndjson"
            )
            assert status == 202, answer
            time.sleep(0.05)
