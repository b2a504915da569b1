"""Modbus in captures that nobody of this project made, row by row against the log of ICSNPP's parser."""

from collections import Counter
from pathlib import Path

import pytest

from packets.captures import Flat, of

pytestmark = [pytest.mark.data, pytest.mark.timeout(300)]

_NAMES = {
    "report_server_id": "REPORT_SLAVE_ID",
    "encapsulated_interface_transport": "ENCAP_INTERFACE_TRANSPORT",
}


def icsnpp(path: Path) -> list[dict[str, str]]:
    lines = path.read_text().splitlines()
    names = next(line for line in lines if line.startswith("#fields")).split("\t")[1:]
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines if line and not line.startswith("#")]


def numbers(text: str) -> list[int] | None:
    return None if text == "-" else [int(each) for each in text.split(",")]


def test_every_transaction_is_that_of_icsnpp(development_data: Path) -> None:
    folder = development_data / "pcaps" / "net"
    said = of(folder / "modbus_icsnpp_example.pcap", "modbus")
    rows = icsnpp(folder / "modbus_icsnpp_example.modbus_detailed.log")
    by_transaction = {(event["source.port"], event["modbus.transaction_id"]): event for event in said}
    assert len(by_transaction) == len(said) == 24
    for row in rows:
        event = by_transaction[int(row["id.orig_p"]), int(row["tid"])]
        function = event["modbus.function"]
        assert _NAMES.get(function, function.upper()) == row["func"]
        assert event["modbus.unit_id"] == int(row["unit"])
        compare_values(event, row)
        if row["exception_code"] not in {"-", "0,0,0,0,0,0,0"} and not row["exception_code"].startswith("0,"):
            assert event["modbus.exception"].upper() == row["exception_code"]
    assert len({(row["id.orig_p"], row["tid"]) for row in rows}) == 24


def compare_values(event: Flat, row: dict[str, str]) -> None:
    """Address, quantity and values where ICSNPP has them for this function."""
    if row["address"] != "-":
        assert event["modbus.address"] == int(row["address"])
    if row["quantity"] not in {"-", "0"}:
        assert event["modbus.quantity"] == int(row["quantity"])
    if (asked := numbers(row["request_values"])) is not None:
        assert event["modbus.values"] == asked
    if (answered := numbers(row["response_values"])) is not None:
        assert event["modbus.response_values"] == answered


def test_polling_alone_writes_nothing(development_data: Path) -> None:
    said = of(development_data / "pcaps" / "net" / "modbus_reads_only.pcap", "modbus")
    assert len(said) == 2384
    assert {event["modbus.function_code"] for event in said} == {3, 4}
    assert not any(event["modbus.is_write"] or "error.code" in event for event in said)


def test_an_attack_shows_what_a_controller_must_not_see(development_data: Path) -> None:
    said = of(development_data / "pcaps" / "net" / "modbus_quickdraw_part1.pcap", "modbus")
    assert any(event.get("modbus.diagnostic") == "force_listen_only_mode" for event in said)
    assert any(event.get("modbus.diagnostic") == "restart_communications_option" for event in said)
    assert any(event.get("modbus.function") == "report_server_id" for event in said)
    assert Counter(event.get("error.code") for event in said)["malformed"] == 13


def test_all_flows_of_ndpis_capture_are_told(development_data: Path) -> None:
    said = of(development_data / "pcaps" / "ndpi" / "modbus.pcap", "modbus")
    assert {event["network.protocol"] for event in said} == {"modbus"}
    assert not any("error.code" in event for event in said)
