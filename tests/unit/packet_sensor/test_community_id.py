"""Community ID against the baseline of its specification (corelight/community-id-spec, baseline_deflt.json)."""

from ipaddress import ip_address

import pytest

from sakimori_packet_sensor.domain.fastpath.layout import NO_PORT
from sakimori_packet_sensor.domain.flows import community_id
from sakimori_packet_sensor.domain.flows.icmp import as_ports


@pytest.mark.parametrize(
    ("protocol", "source", "destination", "expected"),
    [
        (6, ("128.232.110.120", 34855), ("66.35.250.204", 80), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (6, ("66.35.250.204", 80), ("128.232.110.120", 34855), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (17, ("192.168.1.52", 54585), ("8.8.8.8", 53), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
        (132, ("192.168.170.8", 7), ("192.168.170.56", 7), "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="),
        (132, ("192.168.170.56", 7), ("192.168.170.8", 7), "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="),
        (46, ("10.1.12.2", NO_PORT), ("10.1.12.1", NO_PORT), "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="),
        (
            6,
            ("2607:f8b0:400c:c03::1a", 25),
            ("2001:470:e5bf:dead:4957:2174:e82c:4887", 63943),
            "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
        ),
    ],
)
def test_flows_are_named_as_the_specification_names_them(
    protocol: int, source: tuple[str, int], destination: tuple[str, int], expected: str
) -> None:
    ends = (ip_address(source[0]).packed, ip_address(destination[0]).packed)
    assert community_id(*ends, protocol, source[1], destination[1]) == expected


@pytest.mark.parametrize(
    ("protocol", "source", "destination", "message", "expected"),
    [
        (1, "192.168.0.89", "192.168.0.1", (8, 0), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
        (1, "192.168.0.1", "192.168.0.89", (0, 0), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
        (1, "10.0.0.1", "10.0.0.2", (11, 0), "1:YHxtAirCG//0OzkcVAukqKQN9xM="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", (135, 0), "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="),
        (58, "fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", (136, 0), "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="),
        (58, "3ffe:501:1800:2345::2", "3ffe:507:0:1:200:86ff:fe05:80da", (3, 0), "1:2ObVBgIn28oZvibYZhZMBgh7WdQ="),
        (58, "3ffe:501:410:0:2c0:dfff:fe47:33e", "3ffe:507:0:1:200:86ff:fe05:80da", (1, 4),
         "1:hLZd0XGWojozrvxqE0dWB1iM6R0="),
        (58, "fe80::260:97ff:fe07:69ea", "ff02::1", (134, 0), "1:pkvHqCL88/tg1k4cPigmZXUtL00="),
    ],
)  # fmt: skip
def test_icmp_is_named_by_type_and_answering_type(
    protocol: int, source: str, destination: str, message: tuple[int, int], expected: str
) -> None:
    ends = (ip_address(source).packed, ip_address(destination).packed)
    assert community_id(*ends, protocol, *as_ports(protocol, *message)) == expected
