"""What a file is by its first bytes: the kinds that decide whether a transfer is worth a look."""

import re
from typing import Final

MAGIC_BYTES: Final = 64
"""First bytes that are looked at."""

_SIGNATURES: Final = (
    (b"MZ", "application/x-dosexec"),
    (b"\x7fELF", "application/x-executable"),
    (b"\xfe\xed\xfa\xce", "application/x-mach-binary"), (b"\xfe\xed\xfa\xcf", "application/x-mach-binary"),
    (b"\xce\xfa\xed\xfe", "application/x-mach-binary"), (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xca\xfe\xba\xbe", "application/java-vm"), (b"dex\n", "application/vnd.android.dex"),
    (b"\x00asm", "application/wasm"), (b"L\x00\x00\x00\x01\x14\x02\x00", "application/x-ms-shortcut"),
    (b"Cr24", "application/x-chrome-extension"),
    (b"PK\x03\x04", "application/zip"), (b"PK\x05\x06", "application/zip"), (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"), (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/x-rar"), (b"MSCF", "application/vnd.ms-cab-compressed"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"), (b"!<arch>\n", "application/x-archive"),
    (b"\xed\xab\xee\xdb", "application/x-rpm"), (b"hsqs", "application/x-squashfs"),
    (b"sqsh", "application/x-squashfs"),
    (b"\x27\x05\x19\x56", "application/x-uboot-image"), (b"HDR0", "application/x-trx-firmware"),
    (b"%PDF-", "application/pdf"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"{\\rtf", "application/rtf"), (b"SQLite format 3\x00", "application/vnd.sqlite3"),
    (b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF87a", "image/gif"), (b"GIF89a", "image/gif"),
    (b"\xff\xd8\xff", "image/jpeg"), (b"II*\x00", "image/tiff"), (b"MM\x00*", "image/tiff"),
    (b"\x00\x00\x01\x00", "image/vnd.microsoft.icon"),
    (b"OggS", "application/ogg"), (b"ID3", "audio/mpeg"), (b"fLaC", "audio/flac"), (b"FLV\x01", "video/x-flv"),
    (b"\x1a\x45\xdf\xa3", "video/webm"), (b"wOFF", "font/woff"), (b"wOF2", "font/woff2"),
    (b"FWS", "application/x-shockwave-flash"), (b"CWS", "application/x-shockwave-flash"),
    (b"-----BEGIN ", "application/x-pem-file"),
    (b"<?php", "text/x-php"), (b"<?xml", "text/xml"), (b"\xef\xbb\xbf<?xml", "text/xml"),
)  # fmt: skip
"""First bytes and media type, as libmagic names it where it does."""

_BY_FIRST_BYTE: Final[dict[int, tuple[tuple[bytes, str], ...]]] = {
    first: tuple(entry for entry in _SIGNATURES if entry[0][0] == first)
    for first in {entry[0][0] for entry in _SIGNATURES}
}
_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/x-wav", b"AVI ": "video/x-msvideo"}
_SCRIPT: Final = re.compile(rb"#! ?/\S*/(?:env (?:-S )?)?([a-z]+)")
_SCRIPTS: Final = {b"python": "text/x-python", b"perl": "text/x-perl", b"php": "text/x-php", b"ruby": "text/x-ruby"}
_HTML: Final = re.compile(rb"\s*<(?:!doctype html|html|head|body|title|script|h1|!--)", re.IGNORECASE)
_JSON: Final = re.compile(rb'\s*(?:\{\s*(?:"|\}|$)|\[\s*(?:[\[{"\d\-\]]|$))')
_BINARY: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def mime_type_of(data: bytes) -> str:
    """Name the media type of a file that begins with these bytes; `application/octet-stream` for no known one."""
    data = data[:MAGIC_BYTES]
    if not data:
        return ""
    for signature, name in _BY_FIRST_BYTE.get(data[0], ()):
        if data.startswith(signature):
            return name
    if data[4:8] == b"ftyp":
        return "video/mp4"
    if data.startswith(b"RIFF") and data[8:12] in _RIFF:
        return _RIFF[data[8:12]]
    return "application/octet-stream" if _BINARY.search(data) else _text_type(data)


def _text_type(data: bytes) -> str:
    if found := _SCRIPT.match(data):
        return _SCRIPTS.get(found[1], "text/x-shellscript")
    if _HTML.match(data):
        return "text/html"
    return "application/json" if _JSON.match(data) else "text/plain"
