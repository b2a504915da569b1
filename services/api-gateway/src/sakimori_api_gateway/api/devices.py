"""Devices of the network: what the sensor knows, what operators say, how far they are trusted."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from sakimori_api_gateway.api.answers import answer, answer_for, documented, may_see_addresses
from sakimori_api_gateway.api.authentication import Analyst, TheGateway, Viewer, entry_of
from sakimori_api_gateway.api.sessions import Operator
from sakimori_api_gateway.domain.addresses import parse_address
from sakimori_api_gateway.domain.network import (
    Device,
    DeviceActivity,
    DeviceChange,
    DevicePage,
    DeviceQuery,
    DeviceStats,
)
from sakimori_api_gateway.ports import NotFound
from sakimori_common.instants import LATEST, to_microseconds
from sakimori_common.web import Problem

router = APIRouter(tags=["devices"])

Text = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00]+$")]
_MAC = r"^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$"
MacPath = Annotated[str, Path(pattern=_MAC, description="MAC address, such as 00-00-5E-00-53-01.")]


class Filters(BaseModel):
    """What a list of devices is narrowed to and where it begins."""

    model_config = ConfigDict(extra="forbid")
    type: Text | None = None
    vendor: Text | None = None
    ip: Annotated[Text | None, Field(description="Has or had this address. Needs the role analyst.")] = None
    online: bool | None = None
    seen_since: Annotated[AwareDatetime | None, Field(description="Last seen at or after, RFC 3339.")] = None
    q: Annotated[
        Text | None, Field(description="In MAC, name, vendor, address or description. Needs the role analyst.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[str | None, Field(pattern=_MAC, description="The `next_cursor` of the last page.")] = None
    total: Annotated[bool, Field(description="Whether to count all that match, too.")] = False


class ChangedDevice(BaseModel):
    """What an operator says about a device: all of it; what is left out or null is taken back."""

    model_config = ConfigDict(extra="forbid")
    type: Annotated[str | None, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9_/-]+$")] = None
    description: Annotated[str | None, Field(max_length=4000, pattern=r"^[^\x00]*$")] = None
    trust: Annotated[float | None, Field(ge=0, le=1, description="Replaces the computed score.")] = None


@router.get("/api/v1/devices", responses=documented(DevicePage, 401, 403))
async def list_devices(filters: Annotated[Filters, Query()], gateway: TheGateway, asking: Viewer) -> Response:
    """List devices by MAC address.

    Every device that is there all the while is listed exactly once over the pages. To a viewer each IP address is shown
    as a pseudonym.
    """
    _refuse_probing(filters, asking)
    query = _query(filters)
    rows = await gateway.devices.page(query)
    shown = rows[: filters.limit]
    page = DevicePage(
        devices=shown,
        next_cursor=shown[-1].mac if len(rows) > filters.limit else None,
        total=await gateway.devices.total(query) if filters.total else None,
    )
    return await answer_for(asking.role, gateway.mask, page)


@router.get("/api/v1/devices/stats/summary", responses=documented(DeviceStats, 401, 403))
async def device_stats(gateway: TheGateway, _: Viewer) -> Response:
    """Count devices by type and vendor, those online, those with made-up addresses, and those that are new."""
    return answer(await gateway.devices.stats())


@router.get("/api/v1/devices/{mac}", responses=documented(Device, 401, 403, 404))
async def read_device(mac: MacPath, gateway: TheGateway, asking: Viewer) -> Response:
    """Show one device."""
    device = await gateway.devices.find(_canonical(mac))
    if device is None:
        raise NotFound(f"there is no device {mac}")
    return await answer_for(asking.role, gateway.mask, device)


@router.get("/api/v1/devices/{mac}/activity", responses=documented(DeviceActivity, 401, 403, 404))
async def device_activity(mac: MacPath, gateway: TheGateway, asking: Viewer) -> Response:
    """Tell a device's history: first and last seen, addresses over time, peers, traffic by hour."""
    activity = await gateway.devices.activity(_canonical(mac))
    if activity is None:
        raise NotFound(f"there is no device {mac}")
    return await answer_for(asking.role, gateway.mask, activity)


@router.put("/api/v1/devices/{mac}", responses=documented(Device, 401, 403, 404))
async def change_device(mac: MacPath, new: ChangedDevice, gateway: TheGateway, asking: Analyst) -> Response:
    """Say what a device is, what it is for, and how far it is trusted; that counts before what the sensor thinks."""
    change = DeviceChange(type=new.type, description=new.description, trust=new.trust)
    entry = entry_of(gateway, asking, "device_changed", f"device:{_canonical(mac)}")
    return answer(await gateway.devices.change(_canonical(mac), change, entry))


def _refuse_probing(filters: Filters, asking: Operator) -> None:
    """Refuse what would tell a viewer an address after all."""
    if (filters.ip is not None or filters.q is not None) and not may_see_addresses(asking.role):
        raise Problem(403, "role_insufficient", "Searching for an address or in texts needs the role analyst.")


def _query(filters: Filters) -> DeviceQuery:
    return DeviceQuery(
        type=filters.type,
        vendor=filters.vendor,
        ip=_address(filters.ip),
        is_online=filters.online,
        seen_since=_microseconds(filters.seen_since),
        text=filters.q,
        after=None if filters.cursor is None else _canonical(filters.cursor),
        limit=filters.limit + 1,
    )


def _address(text: str | None) -> str | None:
    if text is None:
        return None
    address = parse_address(text)
    if address is None:
        raise Problem(422, "invalid_request", "query.ip: not an address", errors=[{"field": "query.ip"}])
    return str(address)


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else min(max(to_microseconds(moment), 0), LATEST)


def _canonical(mac: str) -> str:
    """Write a MAC address as events do."""
    return mac.upper().replace(":", "-")
