"""What the operator says of their own machines, in a file: name, owner, criticality, tags.

CSV with a header, or TOML with one `[[asset]]` each:

    match,name,owner,criticality,tags
    192.0.2.10,web-1,web team,high,production dmz
    198.51.100.0/24,office,,low,

`match` is an address, a network, a MAC address or a host name; in TOML it may be a list of them. Of several networks
the smallest counts, and an address before a network.
"""

import csv
import io
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any, Final

from sakimori_collector.domain.enrichment.facts import NOTHING, Address, Facts
from sakimori_common.contracts import FieldValue

MAX_ASSETS: Final = 100_000
CRITICALITIES: Final = ("low", "medium", "high", "critical")
_COLUMNS: Final = ("match", "name", "owner", "criticality", "tags")
_LONGEST: Final = 256
_MAC: Final = re.compile(r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}")
_HOST: Final = re.compile(r"(?=.*[A-Za-z])[\w-]{1,63}(?:\.[\w-]{1,63}){0,10}\.?")


class BadRow(ValueError):
    """A row cannot be used; the message says why."""


@dataclass(slots=True)
class Assets:
    """Assets by what they are matched with, and the rows that were left out, each with its line."""

    problems: list[str] = field(default_factory=list)
    count: int = 0
    _networks: dict[tuple[int, int], dict[int, Facts]] = field(default_factory=dict)
    _macs: dict[str, Facts] = field(default_factory=dict)
    _hosts: dict[str, Facts] = field(default_factory=dict)

    def facts(self, address: Address) -> Facts:
        """Say whose an address is."""
        number = int(address)
        for (version, length), known in self._networks.items():  # the longest prefixes come first
            if version == address.version:
                found = known.get(number >> (address.max_prefixlen - length))
                if found is not None:
                    return found
        return NOTHING

    def of_mac(self, mac: str) -> Facts:
        """Say whose a MAC address (as events write it) is."""
        return self._macs.get(mac, NOTHING)

    def of_host(self, name: str) -> Facts:
        """Say whose a host is: by its whole name, else by its first part."""
        lower = name.lower().rstrip(".")
        return self._hosts.get(lower) or self._hosts.get(lower.partition(".")[0]) or NOTHING

    def add(self, match: str, facts: Facts) -> None:
        """Add one. Raises BadRow for what is no match, or is there already."""
        table, key = self._place(match.strip())
        if key in table:
            raise BadRow(f"{match[:64]!r} is there twice")
        table[key] = facts

    def _place(self, match: str) -> tuple[dict[Any, Facts], Any]:
        if _MAC.fullmatch(match):
            return self._macs, match.upper().replace(":", "-")
        try:
            network = ip_network(match, strict=False)
        except ValueError:
            if not _HOST.fullmatch(match):
                text = f"{match[:64]!r} is no address, network, MAC address or host name"
                raise BadRow(text) from None
            return self._hosts, match.lower().rstrip(".")
        length = network.prefixlen
        table = self._networks.setdefault((network.version, length), {})
        return table, int(network.network_address) >> (network.max_prefixlen - length)

    def settled(self) -> "Assets":
        """Put the longest prefixes first."""
        self._networks = dict(sorted(self._networks.items(), key=lambda item: -item[0][1]))
        return self


def parse_assets(text: str, is_toml: bool) -> Assets:
    """Read a file. Bad rows are left out and reported; raises ValueError for a file that is none as a whole."""
    assets = Assets()
    for line, row in _toml_rows(text) if is_toml else _csv_rows(text):
        try:
            if assets.count >= MAX_ASSETS:
                raise BadRow(f"over {MAX_ASSETS} assets")
            facts = _facts_of(row)
            for match in _matches_of(row):
                assets.add(match, facts)
            assets.count += 1
        except BadRow as error:
            assets.problems.append(f"line {line}: {error}")
    return assets.settled()


def _csv_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        if "match" not in header or "name" not in header or not set(header) <= set(_COLUMNS):
            raise ValueError(f"line 1: a header with match and name is expected, of {', '.join(_COLUMNS)}")
        line = rows.line_num + 1
        for cells in rows:
            if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith("#"):
                named = dict(zip(header, cells, strict=False))
                yield line, named if len(cells) <= len(header) else {"match": None, "name": "", "more": len(cells)}
            line = rows.line_num + 1
    except csv.Error as error:
        raise ValueError(f"line {rows.line_num}: {error}") from None


def _toml_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """TOML does not say where a table stood: its heading is looked for."""
    try:
        entries = tomllib.loads(text).get("asset", [])
    except tomllib.TOMLDecodeError as error:
        raise ValueError(str(error)) from None
    if not isinstance(entries, list):
        raise ValueError("[[asset]] tables are expected")  # noqa: TRY004  # as any other mistake in the file
    lines = [number for number, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*asset\s*\]\]", line)]
    for number, entry in enumerate(entries):
        yield lines[number] if number < len(lines) else 1, entry if isinstance(entry, dict) else {}


def _facts_of(row: Mapping[str, Any]) -> Facts:
    if "more" in row:
        raise BadRow(f"{row['more']} cells are more than the header has")
    unknown = sorted(str(name) for name in row if name not in _COLUMNS)
    if unknown:
        raise BadRow(f"{unknown[0][:64]!r} is none of {', '.join(_COLUMNS)}")
    name, owner, criticality = (_cell(row, column) for column in ("name", "owner", "criticality"))
    if not name:
        raise BadRow("name is missing")
    if criticality and criticality.lower() not in CRITICALITIES:
        raise BadRow(f"criticality {criticality[:32]!r} is none of {', '.join(CRITICALITIES)}")
    found: dict[str, FieldValue] = {"name": name, "owner": owner, "criticality": criticality.lower()}
    tags = row.get("tags") or []
    found["tags"] = [*(tags.replace(";", " ").split() if isinstance(tags, str) else map(str, tags))]
    return {"sakimori.known.{side}.asset." + name: value for name, value in found.items() if value}


def _matches_of(row: Mapping[str, Any]) -> list[str]:
    match = row.get("match")
    matches = match if isinstance(match, list) else [match]
    texts = [item for item in matches if isinstance(item, str) and item.strip()]
    if not texts or len(texts) < len(matches):
        raise BadRow("match is missing")
    return texts


def _cell(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column) or ""
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise BadRow(f"{column} is no text of at most {_LONGEST} characters")
    return value.strip()
