"""`make env`: secrets for a new installation, and those that an upgrade needs."""

import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


def make_env(target: Path) -> dict[str, str]:
    subprocess.run([REPOSITORY / "deploy" / "make-env", target], check=True, capture_output=True)
    assert target.stat().st_mode & 0o777 == 0o600
    pairs = [line.split("=", 1) for line in target.read_text().splitlines() if line and not line.startswith("#")]
    assert len({name for name, _ in pairs}) == len(pairs)
    return {pair[0]: pair[1] for pair in pairs}


def test_a_new_file_has_every_name_and_a_secret_of_its_own_in_each_place(tmp_path: Path) -> None:
    values = make_env(tmp_path / ".env")
    assert values["PRIVACY_KEY"] != values["LOG_KEY"] != values["EDGE_TOKEN"]
    assert [len(values[name]) for name in ("PRIVACY_KEY", "LOG_KEY", "POSTGRES_PASSWORD")] == [48, 48, 48]
    assert "<secret>" not in values.values()
    assert values["LOG_LEVEL"] == "INFO"


def test_an_old_file_keeps_what_it_says_and_gets_what_it_lacks(tmp_path: Path) -> None:
    old = tmp_path / ".env"
    old.write_text("# mine\nEDGE_TOKEN=of-long-ago\nLOG_LEVEL=DEBUG\nOWN=1\n")
    old.chmod(0o600)
    values = make_env(old)
    assert (values["EDGE_TOKEN"], values["LOG_LEVEL"], values["OWN"]) == ("of-long-ago", "DEBUG", "1")
    assert len(values["PRIVACY_KEY"]) == 48
    assert old.read_text().startswith("# mine\nEDGE_TOKEN=of-long-ago\n")
    assert make_env(old) == values
