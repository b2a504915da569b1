"""LDAP in captures that nobody of this project made, against Zeek's logs and Suricata's expectations."""

from pathlib import Path

import pytest

from packets.captures import of, suricata, zeek

pytestmark = [pytest.mark.data, pytest.mark.timeout(300)]

_OPERATIONS = {
    "bind simple": "bind_request", "bind SASL": "bind_request", "add": "add_request", "unbind": "unbind_request",
    "modify": "modify_request", "extended": "extended_request",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "trace"),
    [
        ("ldap.add", "ldap-add.pcap"),
        ("ldap.modify-request", "modify-request.pcapng"),
        ("ldap.pending-messages-exceeded", "pending-adds-10.pcap"),
        ("ldap.sasl-encrypted", "krb5-sign-seal-01.pcap"),
        ("ldap.sasl-ntlm", "sasl-ntlm.pcap"),
        ("ldap.sasl-srp-who-am-i", "sasl-srp-who-am-i.pcap"),
        ("ldap.who-am-i", "ldap-who-am-i.pcap"),
    ],
)
def test_operations_and_results_are_those_of_zeek(development_data: Path, name: str, trace: str) -> None:
    """Searches apart, which Zeek has in a log of their own."""
    said = of(development_data / "pcaps" / "zeek" / "traces" / "ldap" / trace, "ldap")
    ours = sorted(
        (event["ldap.message_id"], event["ldap.operation"], event.get("ldap.result_code", "-").replace("_", " "))
        for event in said
        if event["ldap.operation"] != "search_request"
    )
    assert ours == sorted(
        (int(row["message_id"]), _OPERATIONS[row["opcode"]], row["result"].lower())
        for row in zeek(development_data, name, "ldap")
    )


@pytest.mark.parametrize(
    ("name", "trace"), [("ldap.sasl-ntlm", "sasl-ntlm.pcap"), ("ldap.sasl-encrypted", "krb5-sign-seal-01.pcap")]
)
def test_searches_are_those_of_zeek(development_data: Path, name: str, trace: str) -> None:
    said = of(development_data / "pcaps" / "zeek" / "traces" / "ldap" / trace, "ldap")
    assert [
        (event["ldap.message_id"], event["ldap.scope"], event["ldap.object"] or "-", event["ldap.result_count"])
        for event in said
        if event["ldap.operation"] == "search_request"
    ] == [
        (int(row["message_id"]), row["scope"], row["base_object"], int(row["result_count"]))
        for row in zeek(development_data, name, "ldap_search")
    ]


@pytest.mark.parametrize(
    ("name", "trace"),
    [
        ("ldap.ldap_substring_search", "ldap_star_single.pcapng"),
        ("ldap.sasl-encrypted", "krb5-sign-seal-01.pcap"),
        ("ldap.sasl-ntlm", "sasl-ntlm.pcap"),
        ("ldap.search_filter_extended", "issue-32.pcapng"),
    ],
)
def test_filters_are_written_as_zeek_writes_them(development_data: Path, name: str, trace: str) -> None:
    said = of(development_data / "pcaps" / "zeek" / "traces" / "ldap" / trace, "ldap")
    ours = [event["ldap.filter"] for event in said if event["ldap.operation"] == "search_request"]
    assert ours == [row["filter"] for row in zeek(development_data, name, "ldap_search")]


@pytest.mark.parametrize("what", ["abandon", "add", "bind", "compare", "delete", "extended", "modify", "search"])
def test_every_operation_that_suricata_expects_is_there(development_data: Path, what: str) -> None:
    said = of(development_data / "pcaps" / "suricata-verify" / f"ldap-{what}" / "ldap.pcap", "ldap")
    for count, match in suricata(development_data, f"ldap-{what}", "ldap"):
        fitting = [event for event in said if event["ldap.message_id"] == match["ldap.request.message_id"]]
        assert len(fitting) == count
        if "ldap.request.operation" in match:
            assert fitting[0]["ldap.operation"] == match["ldap.request.operation"]
        for name, value in match.items():
            if name.endswith(".result_code"):
                assert fitting[0]["ldap.result_code"] == value
            elif name.endswith((".entry", ".object", ".dn", ".base_object")):
                assert fitting[0]["ldap.object"] == value
