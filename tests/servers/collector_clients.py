"""Senders for the collector's listening inputs."""

import asyncio
import datetime
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Connected:
    """One connection to the collector."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send, waiting while the other side does not read."""
        for start in range(0, len(data), 65_536):
            self._writer.write(data[start : start + 65_536])
            await self._writer.drain()

    async def finish(self) -> None:
        """Say that nothing more comes."""
        if self._writer.can_write_eof():
            self._writer.write_eof()
        else:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()

    async def is_closed(self) -> bool:
        """Wait until the other side ends the connection."""
        with suppress(ConnectionError, ssl.SSLError):
            async with asyncio.timeout(10):
                return await self._reader.read() == b""
        return True


@asynccontextmanager
async def connect(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Connected]:
    """Open a connection on loopback."""
    name = "localhost" if tls is not None else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
    try:
        yield Connected(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def udp_sender(port: int) -> Callable[[bytes], None]:
    """Make a sender of datagrams on loopback, where the kernel loses none while there is room."""

    def send(data: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
            opened.sendto(data, ("127.0.0.1", port))

    return send


def certificates(folder: Path) -> None:
    """Write an authority (`ca.pem`) and what it signed: `server.pem` for localhost, `client.pem`, each with its key."""
    authority, authority_key = _certificate("authority", None, None)
    _write(folder / "ca", authority, authority_key)
    for name in ("server", "client"):
        _write(folder / name, *_certificate(name, authority, authority_key))


def _certificate(
    name: str, authority: x509.Certificate | None, authority_key: ec.EllipticCurvePrivateKey | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    local = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    signer = authority_key or key
    public = signer.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject if authority is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(local), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return certificate, key


def _write(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    path.with_suffix(".pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
