"""Heads of messages that look like e-mail: a first line and `Name: value` lines (SSDP, SIP)."""

from typing import Final

_MAX_HEAD_BYTES: Final = 16_384
_MAX_LINES: Final = 128


def read_head(data: bytes) -> tuple[bytes, dict[str, bytes], int]:
    """Split a head into its first line and its fields by name in lower case; and where the body begins.

    Of a field that occurs twice the first value is kept. Lines may end with LF only; a line that begins with a blank
    continues the one before it (RFC 3261, 7.3.1). A head without end reaches to the end of the data.
    """
    window = data[:_MAX_HEAD_BYTES]
    end = window.find(b"\r\n\r\n")
    bare = window.find(b"\n\n", 0, end if end >= 0 else len(window))
    behind = end + 4 if end >= 0 else len(window)
    if bare >= 0:
        end, behind = bare, bare + 2
    lines = (window[:end] if end >= 0 else window).split(b"\n", _MAX_LINES + 1)[: _MAX_LINES + 1]
    fields: dict[str, bytes] = {}
    name = ""
    for line in lines[1:]:
        if line[:1] in {b" ", b"\t"} and name:
            fields[name] = (fields[name] + b" " + line.strip())[:_MAX_HEAD_BYTES]
            continue
        raw_name, colon, value = line.partition(b":")
        name = raw_name.strip().decode("latin-1").lower() if colon else ""
        if name in fields:
            name = ""
        elif name:
            fields[name] = value.strip()
    return lines[0].rstrip(b"\r"), fields, behind
