"""`POST /captures` over the application itself; only the bus is a stand-in."""

import gzip
from pathlib import Path

import httpx
import pytest
import structlog
from pydantic import SecretStr

from packets.frames import pcap_file, reply, segment
from packets.service import Parts
from sakimori_packet_sensor.adapters.uploads import UploadFolder
from sakimori_packet_sensor.api.app import application
from sakimori_packet_sensor.api.captures import CapturesApi
from sakimori_packet_sensor.api.packets import PacketsApi
from sakimori_packet_sensor.api.recordings import RecordingsApi
from sakimori_packet_sensor.recordings import Recordings

TOKEN = "an edge token for tests"
EDGE = {"x-sakimori-edge": TOKEN}
SCAN = pcap_file([frame for port in range(1, 11) for frame in (segment("S", port), reply("RA", port))])


class Service:
    def __init__(self, folder: Path) -> None:
        self.parts = Parts(folder)
        self.sink = self.parts.sink
        self.metric = self.parts.metric
        self.folder = folder / "tmp"
        log = structlog.get_logger()
        captures = CapturesApi(self.parts.intake, UploadFolder(self.folder), max_bytes=20_000, log=log)
        recordings = RecordingsApi(Recordings(folder / "recordings", 1 << 20, log), ["eth0"])
        self._app = application(captures, PacketsApi([]), recordings, SecretStr(TOKEN))

    async def post(self, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.ask("POST", "/captures", body, headers)

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sensor") as client:
            return await client.request(method, path, content=body, headers=EDGE if headers is None else headers)


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


async def test_a_capture_becomes_events_and_the_answer_counts_them(service: Service) -> None:
    answer = await service.post(SCAN)
    assert answer.status_code == 202
    body = answer.json()
    identity = body.pop("id")
    assert body == {"packets": 20, "flows": 10, "events": 12, "undecoded": 0}
    flows = [event for event in service.sink.events if event.dataset == "network.flow"]
    assert {event.fields["sakimori.capture.id"] for event in flows} == {identity}
    assert {event.fields["sakimori.flow.state"] for event in flows} == {"rejected"}
    assert {event.fields["observer.name"] for event in service.sink.events} == {"tap-1"}
    assert list(service.folder.iterdir()) == []


async def test_the_same_capture_has_the_same_id_and_the_same_events_but_discovers_no_device_twice(
    service: Service,
) -> None:
    first, second = await service.post(SCAN), await service.post(SCAN)
    assert first.json()["id"] == second.json()["id"]
    of_devices = [event.fields["device.mac"] for event in service.sink.events if event.dataset == "network.device"]
    assert of_devices == ["00-00-5E-00-53-01", "00-00-5E-00-53-02"]
    others = [event for event in service.sink.events if event.dataset != "network.device"]
    assert others[:10] == others[10:]
    assert len(others) == 20


@pytest.mark.parametrize("headers", [{}, {"x-sakimori-edge": "a guess"}, {"x-sakimori-edge": ""}])
async def test_nobody_but_the_gateway_may_hand_in_captures(service: Service, headers: dict[str, str]) -> None:
    answer = await service.post(SCAN, headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "edge_only")
    assert answer.headers["content-type"] == "application/problem+json"
    assert service.sink.events == []


@pytest.mark.parametrize("body", [b"", b"GET / HTTP/1.1\r\n\r\n", SCAN[:10], b"\x1f\x8b no gzip"])
async def test_what_is_no_capture_is_refused_with_the_reason(service: Service, body: bytes) -> None:
    answer = await service.post(body)
    assert (answer.status_code, answer.json()["code"]) == (422, "capture_invalid")
    assert service.metric("sakimori_sensor_captures_total", result="refused") == 1


async def test_a_cut_capture_is_taken_with_a_warning(service: Service) -> None:
    answer = await service.post(SCAN[:-1])
    assert (answer.status_code, answer.json()["packets"]) == (202, 19)
    assert "cut within record 20" in answer.json()["warning"]
    assert service.metric("sakimori_sensor_captures_total", result="cut") == 1


async def test_an_upload_beyond_the_bound_is_refused_before_and_while_it_is_read(service: Service) -> None:
    async def in_pieces() -> object:
        for _ in range(30):
            yield b"x" * 1000

    announced = await service.post(b"x" * 20_001)
    streamed = await service.post(in_pieces())  # type: ignore[arg-type]  # httpx takes an iterator too
    assert [answer.status_code for answer in (announced, streamed)] == [413, 413]
    assert list(service.folder.iterdir()) == []


async def test_a_compressed_capture_is_read_up_to_the_bound_only(service: Service) -> None:
    answer = await service.post(gzip.compress(pcap_file([segment("S", load=b"\0" * 1000)] * 1000)))
    assert answer.status_code == 202
    assert answer.json()["packets"] < 20
    assert answer.json()["warning"] == "holds more than may be read of one capture"


async def test_when_the_bus_is_away_the_sender_is_told_to_come_again(service: Service) -> None:
    service.sink.is_away = True
    answer = await service.post(SCAN)
    assert (answer.status_code, answer.json()["code"]) == (503, "bus_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    service.sink.is_away = False
    assert (await service.post(SCAN)).status_code == 202
    discovered = service.parts.metric("sakimori_sensor_outbox_events")
    assert discovered == 2, "devices were told once; that must not get lost with the capture"


async def test_what_was_read_is_counted(service: Service) -> None:
    await service.post(SCAN)
    assert service.metric("sakimori_sensor_packets_total") == 20
    assert service.metric("sakimori_sensor_flows_total") == 10
    assert service.metric("sakimori_sensor_captures_total", result="read") == 1


def test_uploads_that_a_crash_left_behind_are_removed_at_start(tmp_path: Path) -> None:
    (tmp_path / "upload-abc").write_bytes(b"left")
    UploadFolder(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/packets"),
        ("GET", "/recordings"),
        ("POST", "/recordings"),
        ("PUT", "/recordings/x/stop"),
        ("GET", "/none"),
    ],
)
async def test_nobody_but_the_gateway_may_ask_for_packets(service: Service, method: str, path: str) -> None:
    answer = await service.ask(method, path, headers={})
    assert (answer.status_code, answer.json()["code"]) == (403, "edge_only")


async def test_without_an_interface_there_are_no_packets_to_ask_for(service: Service) -> None:
    answer = await service.ask("GET", "/packets")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_packets")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"interface": "eth1"}',
        b'{"interface": "eth0", "seconds": 0}',
        b'{"interface": "eth0", "seconds": 1e9}',
        b'{"interface": "eth0", "max_bytes": 1e12}',
        b'{"interface": "eth0", "filtr": "port 53"}',
        b'{"interface": "../../etc"}',
    ],
)
async def test_a_recording_that_makes_no_sense_is_refused(service: Service, body: bytes) -> None:
    answer = await service.ask("POST", "/recordings", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert (await service.ask("GET", "/recordings")).json() == {"recordings": []}


async def test_a_recording_beyond_the_room_there_is_is_refused(service: Service) -> None:
    answer = await service.ask("POST", "/recordings", b'{"interface": "eth0", "max_bytes": 1048577}')
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_a_recording_that_nobody_started_is_not_found(service: Service) -> None:
    for method, path in (("GET", "/recordings/x"), ("PUT", "/recordings/x/stop"), ("GET", "/recordings/x/packets")):
        assert (await service.ask(method, path)).status_code == 404
