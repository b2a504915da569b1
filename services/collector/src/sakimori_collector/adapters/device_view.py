"""The sensor's devices, by the views that it declares."""

from collections.abc import Mapping
from typing import Final

from sakimori_collector.domain.enrichment.sightings import Device
from sakimori_common.context import Postgres
from sakimori_common.postgres import CONNECTION_ERRORS, unavailable

MOST: Final = 65_536
_DEVICES: Final = """
SELECT DISTINCT ON (addresses.ip) host(addresses.ip) AS ip, addresses.mac, devices.hostname, devices.type
FROM public.device_addresses AS addresses JOIN public.devices AS devices USING (mac)
WHERE addresses.last_seen_at > now() - interval '1 day'
ORDER BY addresses.ip, addresses.last_seen_at DESC
LIMIT $1
"""


class PostgresDeviceView:
    """DeviceView on public.devices and public.device_addresses."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def read(self) -> Mapping[str, Device]:
        """Read the devices of the last day by address, of several at one address the last."""
        try:
            rows = await self._postgres.fetch(_DEVICES, MOST)
        except CONNECTION_ERRORS as error:
            raise unavailable(error) from error
        return {row["ip"]: Device(row["mac"], row["hostname"], row["type"]) for row in rows}
