"""X.509 certificates as TLS shows them (RFC 5280). Nothing is verified: this is what the certificate says of itself."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from hashlib import sha1, sha256
from typing import Final
from warnings import catch_warnings, simplefilter

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from sakimori_common.instants import format_instant
from sakimori_packet_sensor.domain.protocols.contract import Fields
from sakimori_packet_sensor.domain.protocols.text import text_of

_MAX_NAMES: Final = 64
_PROBLEMS: Final = (
    ValueError, TypeError, OverflowError, UnsupportedAlgorithm, x509.InvalidVersion, x509.ExtensionNotFound,
    x509.DuplicateExtension, x509.UnsupportedGeneralNameType,
)  # fmt: skip
"""All that cryptography raises over what a certificate holds."""

_KEYS: Final = (
    (rsa.RSAPublicKey, "RSA"), (ec.EllipticCurvePublicKey, "EC"), (ed25519.Ed25519PublicKey, "Ed25519"),
    (ed448.Ed448PublicKey, "Ed448"), (dsa.DSAPublicKey, "DSA"),
)  # fmt: skip


@lru_cache(maxsize=1024)
def certificate_fields(der: bytes) -> Mapping[str, str | int | bool | list[str | int | float | bool | None]]:
    """Describe a certificate, to be prefixed by whose it is (`tls.server.`). Not to be changed.

    Remembered by its bytes, since servers repeat theirs (reading one costs some 100 us). What cannot be read is left
    out; `certificate.error` is there when the whole cannot.
    """
    fields: Fields = {
        "hash.sha1": sha1(der, usedforsecurity=False).hexdigest().upper(),
        "hash.sha256": sha256(der).hexdigest().upper(),
    }
    with catch_warnings():
        simplefilter("ignore")  # about serial numbers and encodings that a CA should not have used
        try:
            certificate = x509.load_der_x509_certificate(der)
        except _PROBLEMS:
            fields["certificate.error"] = "not readable"
        else:
            for read in (_read_names, _read_validity, _read_serial, _read_alternatives, _read_key, _read_signature):
                with suppress(*_PROBLEMS):
                    _add(fields, read, certificate)
    return fields  # type: ignore[return-value]  # the values are of the kinds above


def _add(fields: Fields, read: Callable[[x509.Certificate, Fields], None], certificate: x509.Certificate) -> None:
    read(certificate, fields)


def _read_names(certificate: x509.Certificate, fields: Fields) -> None:
    subject, issuer = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
    fields["subject"] = _printable(subject)
    fields["issuer"] = _printable(issuer)
    fields["x509.is_self_issued"] = subject == issuer
    if names := certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME):
        fields["x509.subject.common_name"] = _printable(names[0].value)


def _printable(value: str | bytes, limit: int = 4096) -> str:
    return text_of(value if isinstance(value, bytes) else value.encode("utf-8", "backslashreplace"), limit)


def _read_validity(certificate: x509.Certificate, fields: Fields) -> None:
    fields["not_before"] = _instant(certificate.not_valid_before_utc)
    fields["not_after"] = _instant(certificate.not_valid_after_utc)


def _instant(when: datetime) -> str:
    return format_instant(int(when.timestamp()) * 1_000_000)


def _read_serial(certificate: x509.Certificate, fields: Fields) -> None:
    digits = f"{certificate.serial_number:X}"
    fields["x509.serial_number"] = digits.zfill(len(digits) + len(digits) % 2)[:64]


def _read_alternatives(certificate: x509.Certificate, fields: Fields) -> None:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    listed = [_printable(str(name.value), 255) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)]
    if listed:
        fields["x509.alternative_names"] = [*listed[:_MAX_NAMES]]


def _read_key(certificate: x509.Certificate, fields: Fields) -> None:
    key = certificate.public_key()
    for kind, name in _KEYS:
        if isinstance(key, kind):
            fields["x509.public_key_algorithm"] = name
    if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | dsa.DSAPublicKey):
        fields["x509.public_key_size"] = key.key_size


def _read_signature(certificate: x509.Certificate, fields: Fields) -> None:
    algorithm = certificate.signature_hash_algorithm
    if algorithm is not None:
        fields["x509.signature_algorithm"] = f"{algorithm.name.upper()}"
