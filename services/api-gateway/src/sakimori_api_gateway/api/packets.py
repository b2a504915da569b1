"""Packets of the sensor's interfaces: the latest ones, and captures that operators start and stop."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from sakimori_api_gateway.api.answers import problems
from sakimori_api_gateway.api.authentication import Analyst, TheGateway, entry_of
from sakimori_api_gateway.api.proxy import to_the_sensor

router = APIRouter(tags=["captures"])

_PCAP: dict[int | str, dict[str, Any]] = {
    200: {"description": "Done.", "content": {"application/vnd.tcpdump.pcap": {"schema": {"type": "string"}}}}
}
RecordingId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


class Wanted(BaseModel):
    """Which packets; several conditions must all hold."""

    model_config = ConfigDict(extra="forbid")
    since: Annotated[AwareDatetime | None, Field(description="Captured at or after, RFC 3339.")] = None
    until: Annotated[AwareDatetime | None, Field(description="Captured before, RFC 3339.")] = None
    address: Annotated[list[str], Field(max_length=2, description="IP or MAC address of one end, or of both.")] = []
    port: Annotated[list[int], Field(max_length=2, description="Port of one end, or of both.")] = []
    protocol: Annotated[int | None, Field(ge=0, le=255, description="IP's number: 6 is TCP, 17 UDP.")] = None
    max_bytes: Annotated[int | None, Field(ge=24, le=64 << 20)] = None


class NewRecording(BaseModel):
    """What to capture."""

    model_config = ConfigDict(extra="forbid")
    interface: Annotated[str, Field(min_length=1, max_length=15, description="One of the sensor's NETWORK_INTERFACE.")]
    filter: Annotated[str, Field(max_length=1000, description="As of pcap-filter(7), such as `port 1481`.")] = ""
    seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    max_bytes: Annotated[int, Field(ge=1024, le=256 << 20)] = 16 << 20


@router.get("/api/v1/packets", responses=_PCAP | problems(401, 403, 404))
async def read_packets(
    wanted: Annotated[Wanted, Query()], request: Request, gateway: TheGateway, asking: Analyst
) -> Response:
    """Get the latest packets of the sensor's interfaces as a pcap file, as far as they are still kept.

    `x-packets` says how many; `x-whole` is 0 where there were more than `max_bytes` hold.
    """
    details = wanted.model_dump(mode="json", exclude_defaults=True)
    await gateway.audit.write(entry_of(gateway, asking, "packets_read", "packets", details))
    return await to_the_sensor(request, gateway, b"/packets")


@router.post("/api/v1/recordings", status_code=201, responses=problems(401, 403, 409))
async def start_recording(new: NewRecording, request: Request, gateway: TheGateway, asking: Analyst) -> Response:
    """Start to capture an interface of the sensor into a file, for so long and so much."""
    await gateway.audit.write(entry_of(gateway, asking, "recording_started", "recordings", new.model_dump()))
    return await to_the_sensor(request, gateway, b"/recordings", new.model_dump_json().encode())


@router.get("/api/v1/recordings", responses=problems(401, 403))
async def list_recordings(request: Request, gateway: TheGateway, _: Analyst) -> Response:
    """List the captures that operators started, the latest first."""
    return await to_the_sensor(request, gateway, b"/recordings")


@router.get("/api/v1/recordings/{recording_id}", responses=problems(401, 403, 404))
async def show_recording(recording_id: RecordingId, request: Request, gateway: TheGateway, _: Analyst) -> Response:
    """Show how far a capture is, and what came of it."""
    return await to_the_sensor(request, gateway, b"/recordings/" + recording_id.encode())


@router.put("/api/v1/recordings/{recording_id}/stop", responses=problems(401, 403, 404))
async def stop_recording(recording_id: RecordingId, request: Request, gateway: TheGateway, asking: Analyst) -> Response:
    """End a capture before its time. Its file stays."""
    await gateway.audit.write(entry_of(gateway, asking, "recording_stopped", f"recording:{recording_id}"))
    return await to_the_sensor(request, gateway, b"/recordings/" + recording_id.encode() + b"/stop")


@router.get("/api/v1/recordings/{recording_id}/packets", responses=_PCAP | problems(401, 403, 404))
async def read_recording(recording_id: RecordingId, request: Request, gateway: TheGateway, asking: Analyst) -> Response:
    """Get the file of a capture, also while it grows: pcap."""
    await gateway.audit.write(entry_of(gateway, asking, "recording_read", f"recording:{recording_id}"))
    return await to_the_sensor(request, gateway, b"/recordings/" + recording_id.encode() + b"/packets")
