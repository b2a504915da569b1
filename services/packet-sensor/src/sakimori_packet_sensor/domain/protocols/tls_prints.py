"""Fingerprints of TLS implementations: JA3 and JA3S (salesforce/ja3), JA4 (FoxIO-LLC/ja4, technical_details/JA4.md).

All three are under BSD licences; of the JA4 family only this one, of clients, is.
"""

from functools import lru_cache
from hashlib import md5, sha256
from typing import Final

from sakimori_packet_sensor.domain.protocols.tls_hello import ClientHello, ServerHello, is_grease

_VERSIONS: Final = {
    0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2",
    0xFEFF: "d1", 0xFEFD: "d2", 0xFEFC: "d3",
}  # fmt: skip
_SERVER_NAME, _ALPN = 0x0000, 0x0010
_NOTHING: Final = "000000000000"


def ja3(hello: ClientHello) -> str:
    """Write the text that the JA3 print is the MD5 of."""
    return ",".join(
        (
            str(hello.version),
            _dashed(hello.ciphers),
            _dashed(hello.extensions),
            _dashed(hello.groups),
            "-".join(map(str, hello.formats)),
        )
    )


def ja3s(hello: ServerHello) -> str:
    """Write the text that the JA3S print is the MD5 of."""
    return f"{hello.version},{hello.cipher},{'-'.join(map(str, hello.extensions))}"


def ja3_digest(text: str) -> str:
    """Hash a JA3 or JA3S text as those prints are given."""
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def ja4(hello: ClientHello, transport: str) -> str:
    """Give the JA4 print; `transport` is `t` for TCP, `q` for QUIC, `d` for DTLS."""
    count, ciphers = _cipher_part(hello.ciphers)
    extensions = tuple(sorted(number for number in hello.extensions if not is_grease(number)))
    versions = [number for number in hello.versions if not is_grease(number)]
    version = _newest(versions) if versions else hello.version
    first = (
        f"{transport}{_VERSIONS.get(version, '00')}{'i' if hello.server_name is None else 'd'}"
        f"{count:02}{min(len(extensions), 99):02}{_ends(hello.alpn)}"
    )
    return f"{first}_{ciphers}_{_extension_part(extensions, hello.signatures)}"


def _newest(versions: list[int]) -> int:
    """Find the newest version; those of DTLS count downwards."""
    return min(versions) if min(versions) >= 0xFE00 else max(versions)


@lru_cache(maxsize=4096)
def _cipher_part(ciphers: tuple[int, ...]) -> tuple[int, str]:
    real = sorted(f"{number:04x}" for number in ciphers if not is_grease(number))
    return min(len(real), 99), _short(",".join(real)) if real else _NOTHING


@lru_cache(maxsize=4096)
def _extension_part(extensions: tuple[int, ...], signatures: tuple[int, ...]) -> str:
    listed = ",".join(f"{number:04x}" for number in extensions if number not in {_SERVER_NAME, _ALPN})
    if not listed:
        return _NOTHING
    behind = ",".join(f"{number:04x}" for number in signatures if not is_grease(number))
    return _short(f"{listed}_{behind}" if behind else listed)


def _ends(alpn: tuple[bytes, ...]) -> str:
    """Give the first and last character of the first protocol; in hexadecimal where they are no letters or digits."""
    first = alpn[0] if alpn else b""
    if not first:
        return "00"
    ends = chr(first[0]) + chr(first[-1])
    return ends if ends.isascii() and ends.isalnum() else first[:1].hex()[0] + first[-1:].hex()[1]


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


def _dashed(numbers: tuple[int, ...]) -> str:
    return "-".join([str(number) for number in numbers if not is_grease(number)])
