"""Other programs that read the same lines, of Debian's packages, as processes: lines per CPU second.

What a process needs before its first line is taken off: each runs on one line and on all of them.
"""

import resource
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

_ROUNDS: Final = 3
_LINES: Final = 3_000
"""Of those for CrowdSec, which takes a second for some hundreds; fail2ban-regex gets all."""
_SYSTEM_PYTHON: Final = "/usr/bin/python3"
_FILTERS: Final = {"nginx.access": ("nginx-http-auth", "nginx-botsearch"), "openssh.auth": ("sshd",)}
_PARSERS: Final = (
    "s00-raw/crowdsecurity/syslog-logs",
    "s01-parse/crowdsecurity/nginx-logs",
    "s01-parse/crowdsecurity/sshd-logs",
    "s02-enrich/crowdsecurity/dateparse-enrich",
    "s02-enrich/crowdsecurity/http-logs",
)
_TYPES: Final = {"nginx.access": "nginx", "openssh.auth": "syslog"}
_PORT: Final = 18_099

Run = Callable[[Path], list[str]]
"""The command that reads a file."""


def measure(format: str, lines: Sequence[bytes]) -> dict[str, float]:
    """Run each peer that can be had on lines of a format: lines per CPU second, medians of 3."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="sakimori-peers-") as name:
        folder = Path(name)
        log, one = folder / "many.log", folder / "one.log"
        one.write_bytes(lines[0] + b"\n")
        for peer, run in _peers(format, folder):
            many = lines[:_LINES] if peer.startswith("crowdsec") else lines
            log.write_bytes(b"\n".join(many) + b"\n")
            rates = [(len(many) - 1) / (_cpu(run(log)) - _cpu(run(one))) for _ in range(_ROUNDS)]
            found[peer] = statistics.median(rates)
    return found


def _peers(format: str, folder: Path) -> Iterator[tuple[str, Run]]:
    fail2ban = _unpacked("fail2ban", folder)
    if fail2ban is not None:
        for name in _FILTERS[format]:
            yield f"fail2ban-regex {name}", _fail2ban(fail2ban, name)
    crowdsec = _unpacked("crowdsec", folder)
    if crowdsec is not None:
        yield f"crowdsec {_TYPES[format]}, parsers only", _crowdsec(crowdsec, folder / "run", _TYPES[format])


def _unpacked(package: str, folder: Path) -> Path | None:
    """Fetch a package and unpack it; None where that cannot be."""
    target = folder / package
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        print(f"{package}: no apt-get here, not measured")
        return None
    done = subprocess.run(["apt-get", "-q", "download", package], cwd=folder, capture_output=True, check=False)
    archives = list(folder.glob(f"{package}_*.deb"))
    if done.returncode or not archives:
        print(f"{package}: not measured ({done.stderr.decode(errors='replace').strip()[-200:]})")
        return None
    subprocess.run(["dpkg-deb", "-x", archives[0], target], check=True)
    return target


def _fail2ban(root: Path, name: str) -> Run:
    library = root / "usr/lib/python3/dist-packages"
    script, rules = root / "usr/bin/fail2ban-regex", root / "etc/fail2ban"
    return lambda log: [
        "env",
        f"PYTHONPATH={library}",
        _SYSTEM_PYTHON,
        str(script),
        "-c",
        str(rules),
        str(log),
        name,
    ]


def _crowdsec(root: Path, folder: Path, kind: str) -> Run:
    """Lay out what the package's installation would have: the hub's parsers, no scenario, a local API of its own."""
    hub = root / "usr/share/crowdsec/hub"
    for part in ("etc/notifications", "etc/scenarios", "etc/postoverflows", "plugins", "hub", "data"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for part in (".index.json", "parsers", "scenarios", "postoverflows", "collections"):
        (folder / "hub" / part).symlink_to(hub / part)
    for parser in _PARSERS:
        stage, _, name = parser.partition("/")
        (folder / "etc/parsers" / stage).mkdir(parents=True, exist_ok=True)
        (folder / "etc/parsers" / stage / f"{Path(name).name}.yaml").symlink_to(hub / "parsers" / f"{parser}.yaml")
    shutil.copytree(root / "etc/crowdsec/patterns", folder / "etc/patterns")
    shutil.copytree(root / "usr/share/crowdsec/data", folder / "data", dirs_exist_ok=True)
    for part in ("simulation.yaml", "profiles.yaml"):
        shutil.copy(root / "etc/crowdsec" / part, folder / "etc" / part)
    (folder / "acquis.yaml").write_text("")
    config = folder / "config.yaml"
    config.write_text(_configuration(folder))
    machine = ["machines", "add", "bench", "--password", "bench", "--force", "-f", str(folder / "credentials.yaml")]
    address = ["-u", f"http://127.0.0.1:{_PORT}"]
    command = [str(root / "usr/bin/cscli"), "-c", str(config), *machine, *address]
    subprocess.run(command, check=True, capture_output=True)
    return lambda log: [
        str(root / "usr/bin/crowdsec"),
        "-c",
        str(config),
        "-dsn",
        f"file://{log}",
        "-type",
        kind,
    ]


def _configuration(folder: Path) -> str:
    return f"""
common: {{daemonize: false, log_media: stdout, log_level: error, working_dir: {folder}}}
config_paths:
  config_dir: {folder}/etc
  data_dir: {folder}/data
  simulation_path: {folder}/etc/simulation.yaml
  hub_dir: {folder}/hub
  index_path: {folder}/hub/.index.json
  notification_dir: {folder}/etc/notifications
  plugin_dir: {folder}/plugins
crowdsec_service: {{acquisition_path: {folder}/acquis.yaml, parser_routines: 1}}
cscli: {{output: human}}
db_config: {{log_level: error, type: sqlite, db_path: {folder}/data/crowdsec.db}}
api:
  client: {{insecure_skip_verify: true, credentials_path: {folder}/credentials.yaml}}
  server:
    log_level: error
    listen_uri: 127.0.0.1:{_PORT}
    profiles_path: {folder}/etc/profiles.yaml
    online_client: {{}}
prometheus: {{enabled: false}}
"""


def _cpu(command: list[str]) -> float:
    """Run to the end; user and system seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
