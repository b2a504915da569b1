"""What a device is taken for, and what that rests on."""

from typing import Final, NamedTuple

TYPES: Final = (
    "camera", "smart_speaker", "smart_tv", "smart_plug", "smart_bulb", "hub", "environment_sensor", "motion_sensor",
    "appliance", "printer", "router", "phone", "computer", "nas", "industrial_controller",
)  # fmt: skip
"""hub: gateway of a home system; environment_sensor: thermostat, weather, water; motion_sensor: motion, door; router:
access points, too; phone: tablets, too; industrial_controller: PLC and the like."""
UNKNOWN: Final = "unknown"

RANDOM: Final = "random"
"""The manufacturer of a MAC address that is locally administered (IEEE 802, 8.2: the second bit of the first octet)."""


class Ground(NamedTuple):
    """One reason to take a device for something: how sure it makes (0 to 1), and in words."""

    type: str
    probability: float
    says: str


class Opinion(NamedTuple):
    """What a device is. `product` is empty when none is likely enough; `evidence` has the strongest reason first."""

    type: str = UNKNOWN
    type_probability: float = 0.0
    product: str = ""
    product_probability: float = 0.0
    family: str = ""
    evidence: tuple[str, ...] = ()
    system: str = ""


def is_random(mac: str) -> bool:
    """Whether a MAC address in the notation `02-00-5E-00-53-01` is locally administered."""
    return len(mac) > 1 and mac[1] in "2367ABEFabef"
