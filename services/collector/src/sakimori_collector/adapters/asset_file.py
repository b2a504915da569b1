"""The operator's file of assets."""

from pathlib import Path
from typing import Final

import structlog

from sakimori_collector.adapters.watched_file import WatchedFile
from sakimori_collector.domain.enrichment.assets import Assets, parse_assets
from sakimori_collector.domain.enrichment.facts import Address, Facts

MAX_BYTES: Final = 32 << 20
_SHOWN: Final = 20


class AssetFile:
    """Assets as the file has them, read anew when it changes; of an unusable one it is said once, and the last stay."""

    def __init__(self, path: Path, log: structlog.stdlib.BoundLogger) -> None:
        self._assets = Assets()
        self._path = path
        self._file = WatchedFile(path)
        self._log = log

    def refresh(self) -> bool:
        """Read the file if it changed; tells whether it did. Up to some seconds for the largest."""
        if not self._file.has_changed():
            return False
        try:
            assets = parse_assets(self._text(), self._path.suffix.lower() == ".toml")
        except (OSError, ValueError) as error:
            self._log.warning("assets_unusable", path=str(self._path), reason=str(error)[:200])
            return False
        for problem in assets.problems[:_SHOWN]:
            self._log.warning("asset_left_out", path=str(self._path), reason=problem)
        self._log.info("assets_read", path=str(self._path), assets=assets.count, left_out=len(assets.problems))
        self._assets = assets
        return True

    def facts(self, address: Address) -> Facts:
        """Say whose an address is."""
        return self._assets.facts(address)

    def of_mac(self, mac: str) -> Facts:
        """Say whose a MAC address is."""
        return self._assets.of_mac(mac)

    def of_host(self, name: str) -> Facts:
        """Say whose a host is."""
        return self._assets.of_host(name)

    def _text(self) -> str:
        if self._path.stat().st_size > MAX_BYTES:
            raise ValueError(f"over {MAX_BYTES} bytes")
        return self._path.read_text(encoding="utf-8")
