"""The four streams: who asked for what, what bears on security, what failed, what people were alerted to.

Every record has `timestamp` (UTC, milliseconds), `level`, `event_type` (the stream) and `service`; schema.json says the
rest. Addresses stand as they are in the security stream alone, whose file only its owner reads and which is kept for a
few days: tools that block by address (fail2ban) read it. Elsewhere they are pseudonyms, keyed hashes.
"""

import hmac
import logging
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from sakimori_common.contracts import Finding
from sakimori_common.instants import now_text
from sakimori_common.log.rotation import RotatingFile

STREAMS: Final = ("access", "security", "error", "alert")
_MAX_TEXT: Final = 2048
_PSEUDONYM_CHARACTERS: Final = 16
_encoder = msgspec.json.Encoder()


FILES: Final[dict[str, RotatingFile]] = {}
"""The file of each stream of this process, once `open_streams` opened it; else what is written leads nowhere."""


class SecurityLogger:
    """Writes the streams of one service. `key` is the secret that pseudonyms of addresses are made with."""

    def __init__(self, service: str, key: str) -> None:
        self._service = service
        self._key = hmac.digest(key.encode(), b"sakimori-log-address", sha256)

    @property
    def is_open(self) -> bool:
        """Whether what is written goes anywhere."""
        return bool(FILES)

    def log_access(
        self,
        ip: str,
        method: str,
        path: str,
        status: int,
        *,
        user: str = "",
        user_agent: str = "",
        request_id: str = "",
    ) -> None:
        """Write one answered request; `path` comes without the query, which may hold secrets."""
        if not self.is_open:
            return
        given = {"ip": self.pseudonym(ip), "method": method, "path": path, "status": status}
        more = {"user": user, "user_agent": user_agent, "request_id": request_id}
        self._write("access", "info", {**given, **more})

    def log_security(
        self,
        action: str,
        ip: str,
        *,
        level: str = "warning",
        user: str = "",
        outcome: str = "failure",
        reason: str = "",
    ) -> None:
        """Write one thing that bears on security, with the address as it is."""
        given = {"action": action, "ip": ip, "user": user, "outcome": outcome, "reason": reason}
        self._write("security", level, given)

    def log_error(self, message: str, error: BaseException) -> None:
        """Write a failure of the service's own; what goes through the service log at ERROR is here by itself."""
        logging.getLogger(f"sakimori.service.{self._service}").error(message, exc_info=error)

    def log_alert(self, finding: Finding) -> None:
        """Write a finding that people were told of; a pseudonym stands for an address."""
        is_address = finding.entity_type.endswith(".ip")
        given = {
            "id": finding.id,
            "rule_id": finding.rule_id,
            "title": finding.title,
            "severity": str(finding.severity),
            "entity_type": finding.entity_type,
            "entity": self.pseudonym(finding.entity) if is_address else finding.entity,
            "count": finding.count,
        }
        self._write("alert", "warning", given)

    def pseudonym(self, address: str) -> str:
        """Name an address so that only those who have the key can tell which it is; the same one each time."""
        if not address:
            return ""
        return "ip-" + hmac.digest(self._key, address.encode(), sha256).hex()[:_PSEUDONYM_CHARACTERS]

    def _write(self, name: str, level: str, given: Mapping[str, Any]) -> None:
        file = FILES.get(name)
        if file is None:
            return
        record = {
            "timestamp": now_text(),
            "level": level,
            "event_type": name,
            "service": self._service,
            **{key: value[:_MAX_TEXT] if isinstance(value, str) else value for key, value in given.items()},
        }
        try:
            file.write(_encoder.encode(record) + b"\n", time.time())
        except OSError as error:
            logging.getLogger(f"sakimori.service.{self._service}").critical("log_unwritable: %s", error)
