"""Agents ship with the configurations of deploy/agents, and whatever dies meanwhile, each line is stored once."""

import asyncio
import gzip
import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import yaml

from sakimori_common.bus import Consumer
from sakimori_common.context import Postgres
from servers.collector_clients import certificates
from servers.collector_process import TOKEN, CollectorProcess
from servers.eventually import eventually
from servers.journal_tools import find_journal_tool
from servers.ports import free_ports
from servers.rabbitmq import RabbitMQ
from servers.rsyslog import AGENTS, Rsyslog, has_rsyslog

pytestmark = [pytest.mark.timeout(240), pytest.mark.parametrize("bus_url", ["amqp"], indirect=True)]

Run = Callable[..., CollectorProcess]


@pytest.fixture
def run(tmp_path: Path, bus_url: str, postgres_url: str, valkey_url: str, detector: Consumer) -> Iterator[Run]:
    """Run a collector with some settings, and what else is to be stopped after the test."""
    with ExitStack() as stack:

        def start(**settings: str) -> CollectorProcess:
            collector = CollectorProcess(tmp_path, bus_url, postgres_url, valkey_url, **settings)
            collector.start()
            stack.callback(collector.stop)
            return collector

        yield start


@pytest.fixture
def rsyslog(tmp_path: Path) -> Iterator[Callable[..., Rsyslog]]:
    """Start an rsyslogd with a configuration of deploy/agents."""
    if not has_rsyslog():
        pytest.skip("needs Debian's rsyslog, rsyslog-elasticsearch and rsyslog-openssl (apt-get, as root)")
    with ExitStack() as stack:

        def start(config: str, changes: dict[str, str]) -> Rsyslog:
            agent = Rsyslog(tmp_path, config, {'resumeInterval="5"': 'resumeInterval="1"', **changes})
            agent.start()
            stack.callback(agent.stop)
            return agent

        yield start


def logins(start: int, count: int) -> list[str]:
    return [
        f"<38>Jan 16 02:00:00 sshd[{number}]: Failed password for root from 192.0.2.7 port 4000 ssh2"
        for number in range(start, start + count)
    ]


async def stored(postgres: Postgres) -> Counter[int]:
    """Count stored logins by their number."""
    query = "SELECT (fields->>'process.pid')::int AS pid FROM collector.events WHERE dataset = 'openssh.auth'"
    return Counter(row["pid"] for row in await postgres.fetch(query))


async def all_stored(postgres: Postgres, count: int, *, first: int = 0, seconds: float = 60.0) -> None:
    async def check() -> bool:
        found = await stored(postgres)
        missing = sorted(set(range(first, first + count)) - set(found))
        assert not missing, f"missing: {len(missing)}, {missing[:3]} to {missing[-3:]}"
        assert set(found.values()) == {1}, f"{found.total() - len(found)} more than once"
        return True

    await eventually(check, seconds)


async def test_rsyslog_by_tcp_loses_nothing_when_broker_and_collector_are_restarted(
    run: Run, rsyslog: Callable[..., Rsyslog], postgres: Postgres, rabbitmq: RabbitMQ
) -> None:
    [port] = free_ports(1)
    collector = run(COLLECTOR_SYSLOG_TCP=f"127.0.0.1:{port}")
    agent = rsyslog("60-sakimori-tcp.conf", {"sakimori.example.org": "127.0.0.1", "5514": str(port)})
    agent.log(logins(0, 500))
    await all_stored(postgres, 500)
    rabbitmq.kill()
    agent.log(logins(500, 1000))
    await eventually(lambda: collector.metric("input_stalls_total", 'source="syslog_tcp"') > 0, 30)
    await asyncio.to_thread(rabbitmq.start)
    await all_stored(postgres, 1500)
    collector.stop()
    agent.log(logins(1500, 1000))
    await asyncio.to_thread(collector.start)
    await all_stored(postgres, 2500)


async def test_rsyslog_by_http_loses_nothing_while_the_broker_is_dead(
    run: Run, rsyslog: Callable[..., Rsyslog], postgres: Postgres, rabbitmq: RabbitMQ
) -> None:
    collector = run()
    changes = {"sakimori.example.org": "127.0.0.1", "8002": str(collector.port), "INGEST_TOKEN": TOKEN}
    agent = rsyslog("60-sakimori-http.conf", changes)
    agent.log(logins(0, 500))
    await all_stored(postgres, 500)
    rabbitmq.kill()
    agent.log(logins(500, 500))
    await asyncio.to_thread(rabbitmq.start)
    await all_stored(postgres, 1000)


async def test_a_killed_collector_costs_rsyslog_by_http_the_batch_in_flight_and_no_more(
    run: Run, rsyslog: Callable[..., Rsyslog], postgres: Postgres
) -> None:
    """omelasticsearch 8.2302 forgets the batch that meets the end of a connection (rsyslog's issue 2757)."""
    collector = run()
    changes = {"sakimori.example.org": "127.0.0.1", "8002": str(collector.port), "INGEST_TOKEN": TOKEN}
    agent = rsyslog("60-sakimori-http.conf", changes)
    agent.log(logins(0, 2000))
    collector.kill()
    agent.log(logins(2000, 500))
    await asyncio.to_thread(collector.start)

    async def all_but_one_batch() -> bool:
        found = await stored(postgres)
        assert set(found.values()) == {1}
        assert len(found) >= 2500 - 100, len(found)
        return max(found) == 2499

    await eventually(all_but_one_batch, 60)


async def test_rsyslog_by_tls_with_a_certificate_of_its_own(
    run: Run, rsyslog: Callable[..., Rsyslog], postgres: Postgres, tmp_path: Path
) -> None:
    [port] = free_ports(1)
    certificates(tmp_path)
    run(
        COLLECTOR_SYSLOG_TLS=f"127.0.0.1:{port}",
        COLLECTOR_SYSLOG_TLS_CERTIFICATE=str(tmp_path / "server.pem"),
        COLLECTOR_SYSLOG_TLS_KEY=str(tmp_path / "server.key"),
        COLLECTOR_SYSLOG_TLS_CLIENT_CA=str(tmp_path / "ca.pem"),
    )
    changes = {
        "sakimori.example.org": "localhost",
        "6514": str(port),
        "/etc/rsyslog.d/sakimori-ca.pem": str(tmp_path / "ca.pem"),
        "/etc/rsyslog.d/sakimori-client": str(tmp_path / "client"),
    }
    agent = rsyslog("60-sakimori-tls.conf", changes)
    agent.log(logins(0, 500))
    await all_stored(postgres, 500)


async def test_logger_by_udp_while_the_broker_is_killed_and_then_the_collector(
    run: Run, postgres: Postgres, rabbitmq: RabbitMQ
) -> None:
    [port] = free_ports(1)
    collector = run(COLLECTOR_SYSLOG_UDP=f"127.0.0.1:{port}")

    def log(number: int) -> None:
        message = "Failed password for root from 192.0.2.7 port 4000 ssh2"
        command = ["logger", "--server", "127.0.0.1", "--port", str(port), "--udp", f"--id={number}", "-t", "sshd"]
        subprocess.run([*command, message], check=True)

    for number in range(1, 6):
        log(number)
    await all_stored(postgres, 5, first=1)
    rabbitmq.kill()
    for number in range(6, 16):
        log(number)
    await eventually(lambda: collector.metric("lines_spooled", 'source="syslog_udp"') == 10, 30)
    collector.kill()
    await asyncio.to_thread(rabbitmq.start)
    await asyncio.to_thread(collector.start)
    await all_stored(postgres, 15, first=1)
    await eventually(lambda: collector.metric("lines_received_total", 'source="syslog_udp"') == 10)


async def test_journal_upload_sends_a_journal_once(run: Run, postgres: Postgres, tmp_path: Path) -> None:
    upload, remote = find_journal_tool("systemd-journal-upload"), find_journal_tool("systemd-journal-remote")
    if upload is None or remote is None:
        pytest.skip("needs Debian's systemd-journal-remote (apt-get, as root)")
    collector = run()
    (tmp_path / "export").write_text("".join(JOURNAL_ENTRY.format(number=number) for number in range(1, 51)))
    await asyncio.to_thread(succeed, remote, f"--output={tmp_path}/host.journal", tmp_path / "export")
    config = (AGENTS / "journal-upload" / "journal-upload.conf").read_text()
    [url] = re.findall(r"^URL=(.+)$", config, re.MULTILINE)
    url = url.replace("INGEST_TOKEN", TOKEN).replace("sakimori.example.org:8002", f"127.0.0.1:{collector.port}")
    for _ in range(2):  # the second time as if it had forgotten how far it came
        await asyncio.to_thread(succeed, upload, f"--url={url}", f"--file={tmp_path}/host.journal", "--follow=no")
    await all_stored(postgres, 50, first=1)


def succeed(*command: str | Path) -> None:
    subprocess.run(command, check=True, timeout=60)


JOURNAL_ENTRY = """__REALTIME_TIMESTAMP=17685288000{number:05}
__MONOTONIC_TIMESTAMP={number}
_BOOT_ID=0123456789abcdef0123456789abcdef
_MACHINE_ID=fedcba9876543210fedcba9876543210
_HOSTNAME=gate
_TRANSPORT=syslog
PRIORITY=6
SYSLOG_FACILITY=10
SYSLOG_IDENTIFIER=sshd
_PID={number}
MESSAGE=Failed password for root from 192.0.2.7 port 4000 ssh2

"""


async def bulk(url: str, password: str, user: str, documents: list[dict[str, object]], action: object) -> int:
    """Post as the two shippers do: gzip, Basic, an action before each document; twice, as after an answer got lost."""
    lines = [json.dumps(each) for document in documents for each in (action, document)]
    body = gzip.compress(("\n".join(lines) + "\n").encode())
    headers = {"content-type": "application/x-ndjson", "content-encoding": "gzip"}
    async with httpx.AsyncClient(auth=(user, password)) as client:
        for _ in range(2):
            answer = await client.post(f"{url}/_bulk", content=body, headers=headers)
            assert answer.json()["errors"] is False
    return answer.status_code


async def test_what_fluent_bit_sends_is_stored_once(run: Run, postgres: Postgres) -> None:
    collector = run()
    config = yaml.safe_load((AGENTS / "fluent-bit" / "fluent-bit.yaml").read_text())
    [output] = config["pipeline"]["outputs"]
    documents: list[dict[str, object]] = [
        {
            "@timestamp": "2026-01-16T02:00:00.123Z",
            config["pipeline"]["inputs"][0]["key"]: line.removeprefix("<38>").replace("sshd", "gate sshd", 1),
            "log.file.path": "/var/log/auth.log",
            "log.offset": number * 100,
        }
        for number, line in enumerate(logins(1, 100))
    ]
    assert (output["host"], output["port"], output["compress"]) == ("sakimori.example.org", 8002, "gzip")
    url = f"http://127.0.0.1:{collector.port}{output['path']}"
    password = output["http_passwd"].replace("INGEST_TOKEN", TOKEN)
    assert await bulk(url, password, output["http_user"], documents, {"create": {"_index": output["index"]}}) == 200
    await all_stored(postgres, 100, first=1)
    fields = json.loads(await postgres.fetchval("SELECT fields FROM collector.events LIMIT 1"))
    assert (fields["host.hostname"], fields["log.file.path"]) == ("gate", "/var/log/auth.log")


async def test_what_vector_sends_is_stored_once(run: Run, postgres: Postgres) -> None:
    collector = run()
    sink = yaml.safe_load((AGENTS / "vector" / "vector.yaml").read_text())["sinks"]["sakimori"]
    documents: list[dict[str, object]] = [
        {
            "file": "/var/log/auth.log",
            "host": "web-1",
            "log.offset": number * 100,
            "message": line.removeprefix("<38>").replace("sshd", "gate sshd", 1),
            "source_type": "file",
            "timestamp": "2026-01-16T02:00:00.123456789Z",
        }
        for number, line in enumerate(logins(1, 100))
    ]
    [endpoint] = sink["endpoints"]
    url = endpoint.replace("sakimori.example.org:8002", f"127.0.0.1:{collector.port}")
    async with httpx.AsyncClient(auth=(sink["auth"]["user"], TOKEN)) as client:
        assert (await client.get(f"{url}/_cluster/health")).status_code == 200  # its health check
    action = {sink["bulk"]["action"]: {"_index": sink["bulk"]["index"], "_type": "_doc"}}
    assert await bulk(url, TOKEN, sink["auth"]["user"], documents, action) == 200
    await all_stored(postgres, 100, first=1)
