"""SSH and RDP in captures that nobody of this project made: what Suricata and Zeek say of them."""

from pathlib import Path

import pytest

from packets.captures import Flat, of, suricata, zeek, zeek_trace

pytestmark = [pytest.mark.data, pytest.mark.timeout(300)]


@pytest.mark.parametrize("test", ["ssh-hassh-incomplete", "ssh-hassh-only", "ssh-hassh-reassembled"])
def test_prints_are_those_that_suricata_expects(development_data: Path, test: str) -> None:
    capture = development_data / "pcaps" / "suricata-verify" / test / "input.pcap"
    for count, match in suricata(development_data, test, "ssh"):
        wanted: Flat = {name.removesuffix(".hash"): value for name, value in match.items()}
        assert len([event for event in of(capture, "ssh") if wanted.items() <= event.items()]) == count


def test_what_both_sides_agree_on_is_what_zeek_logs(development_data: Path) -> None:
    [row] = zeek(development_data, "ssh.ssh_version_199", "ssh")
    [event] = of(zeek_trace(development_data, "ssh/ssh_version_199"), "ssh")
    names = ("proto_version", "software_version")
    client, server = (
        "SSH-" + "-".join(str(event[f"ssh.{whose}.{name}"]) for name in names) for whose in ("client", "server")
    )
    assert (row["client"], row["server"]) == (client, server)
    agreed = (row["kex_alg"], row["host_key_alg"], row["cipher_alg"], row["mac_alg"], row["compression_alg"])
    named = ("ssh.kex_algorithm", "ssh.host_key_algorithm", "ssh.cipher", "ssh.mac", "ssh.compression")
    assert agreed == tuple(event[name] for name in named)


@pytest.mark.parametrize("name", ["rdp/rdp-x509", "rdp/rdp-unknown-keyboard"])
def test_a_client_of_rdp_is_what_zeek_logs(development_data: Path, name: str) -> None:
    [row] = zeek(development_data, name.replace("/", "."), "rdp")
    [event] = of(zeek_trace(development_data, name), "rdp")
    assert row["cookie"].strip() == event["rdp.cookie"]
    assert row["client_name"] == event["rdp.client.name"]
    assert row["client_dig_product_id"] == event["rdp.client.product_id"]
    assert row["client_channels"].split(",") == event["rdp.client.channels"]
    assert [int(row["desktop_width"]), int(row["desktop_height"])] == [
        event["rdp.client.desktop_width"], event["rdp.client.desktop_height"],
    ]  # fmt: skip
    if row["cert_count"] != "0":
        own = zeek(development_data, name.replace("/", "."), "x509")
        assert event["rdp.server.hash.sha256"].lower() in {each["fingerprint"] for each in own}
    if row["encryption_level"] != "-":
        assert row["encryption_level"].lower().replace(" ", "_") == event["rdp.encryption_level"]
        assert row["encryption_method"] == event["rdp.encryption_method"]
