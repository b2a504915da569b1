"""SMB and DCE/RPC in captures that nobody of this project made: what Suricata and Zeek say of them, and the attacks."""

from pathlib import Path

import pytest

from packets.captures import Flat, events, of, suricata, zeek, zeek_trace

pytestmark = [pytest.mark.data, pytest.mark.timeout(300)]


@pytest.mark.parametrize("test", ["smb1-01", "smb1-02", "smb2-07", "smb3-01"])
def test_commands_are_those_that_suricata_expects(development_data: Path, test: str) -> None:
    [capture] = (development_data / "pcaps" / "suricata-verify" / test).glob("*.pcap*")
    for count, match in suricata(development_data, test, "smb"):
        wanted: Flat = {
            name: value for name, value in match.items() if name not in {"smb.id", "smb.client_dialects[0]"}
        }
        found = [event for event in of(capture, "smb") if wanted.items() <= event.items()]
        assert len(found) == count, wanted


def test_shares_and_files_are_those_that_zeek_logs(development_data: Path) -> None:
    shares = {row["path"].replace("\\\\", "\\") for row in zeek(development_data, "smb.smb3", "smb_mapping")}
    found = of(zeek_trace(development_data, "smb/smb3"), "smb")
    assert shares <= {event.get("smb.share", event.get("smb.named_pipe")) for event in found}
    files = {row["name"].replace("\\\\", "\\") for row in zeek(development_data, "smb.smb1", "smb_files")}
    assert files <= {event.get("smb.filename") for event in of(zeek_trace(development_data, "smb/smb1"), "smb")}


def test_a_login_is_what_zeek_logs(development_data: Path) -> None:
    [row] = zeek(development_data, "dce-rpc.dce_rpc_ntlm", "ntlm")
    found = of(zeek_trace(development_data, "dce-rpc/dce_rpc_ntlm"), "dcerpc")
    servers = [event for event in found if "ntlmssp.server.computer" in event]
    assert [
        (event["ntlmssp.server.computer"], event["ntlmssp.server.dns_computer"], event["ntlmssp.server.dns_tree"])
        for event in servers
    ] == [(row["server_nb_computer_name"], row["server_dns_computer_name"], row["server_tree_name"])]


@pytest.mark.parametrize(
    ("name", "interface", "operations"),
    [
        ("lm_sharpsc_create_svcctl.cap", "svcctl", {"OpenServiceA", "CreateServiceA"}),
        ("lm_empire_psexec.cap", "svcctl", {"CreateServiceA", "StartServiceA", "DeleteService"}),
        ("lm_sharpwmi_create.cap", "IWbemServices", {"ExecMethod"}),
    ],
)
def test_lateral_movement_is_told_by_what_it_calls(
    development_data: Path, name: str, interface: str, operations: set[str]
) -> None:
    called = {
        event.get("dcerpc.operation")
        for event in events(development_data / "pcaps" / "net" / name)
        if event.get("dcerpc.interface.name") == interface
    }
    assert operations <= called


@pytest.mark.parametrize("name", ["smb/smb1-long-andx-chain", "smb/smb1-non-advancing-andx-offset"])
def test_chains_that_zeek_finds_weird_are_malformed(development_data: Path, name: str) -> None:
    found = of(zeek_trace(development_data, name), "smb")
    assert any("chain" in str(event.get("error.message")) for event in found)
