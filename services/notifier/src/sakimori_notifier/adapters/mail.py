"""Mail by SMTP."""

from urllib.parse import unquote, urlsplit

import aiosmtplib

from sakimori_common.contracts import Finding
from sakimori_notifier.domain.notice import email
from sakimori_notifier.ports import DeliveryFailed, DeliveryRefused

TIMEOUT_SECONDS = 15.0


class MailChannel:
    """One mail a notice. `smtps` speaks TLS from the start, `smtp` upgrades by STARTTLS where the server offers it."""

    name = "email"

    def __init__(self, url: str, sender: str, recipients: list[str], language: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise ValueError("NOTIFIER_SMTP_URL must look like smtp://user:password@host:587 or smtps://host:465")
        self._tls = parts.scheme == "smtps"
        self._host = parts.hostname
        self._port = parts.port or (465 if self._tls else 587)
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._sender = sender
        self._recipients = recipients
        self._language = language

    async def send(self, finding: Finding) -> None:
        """Send the mail. Raises DeliveryRefused for 5xx answers of the server, DeliveryFailed for all else."""
        try:
            await aiosmtplib.send(
                email(finding, self._language, self._sender, self._recipients),
                hostname=self._host,
                port=self._port,
                use_tls=self._tls,
                username=self._user,
                password=self._password,
                timeout=TIMEOUT_SECONDS,
            )
        except aiosmtplib.SMTPResponseException as error:
            if 500 <= error.code < 600:
                raise DeliveryRefused(f"SMTP {error.code}") from None
            raise DeliveryFailed(f"SMTP {error.code}") from None
        except aiosmtplib.SMTPRecipientsRefused:
            raise DeliveryRefused("SMTP: the recipients were refused") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryFailed(type(error).__name__) from None
