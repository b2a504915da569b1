"""Every program whose syslog messages are understood, one file each.

To add one: write its file, name it here, add its cases under tests/formats.
"""

from functools import lru_cache
from typing import Final

from sakimori_collector.domain.programs.accounts import ACCOUNTS
from sakimori_collector.domain.programs.cron import CRON
from sakimori_collector.domain.programs.databases import MYSQL, POSTGRESQL
from sakimori_collector.domain.programs.dovecot import DOVECOT
from sakimori_collector.domain.programs.fail2ban import FAIL2BAN
from sakimori_collector.domain.programs.filterlog import FILTERLOG
from sakimori_collector.domain.programs.ftp import FTPD, PROFTPD, PUREFTPD, VSFTPD
from sakimori_collector.domain.programs.kernel import KERNEL
from sakimori_collector.domain.programs.mail import EXIM, IMAP, SENDMAIL
from sakimori_collector.domain.programs.named import NAMED
from sakimori_collector.domain.programs.openssh import OPENSSH
from sakimori_collector.domain.programs.postfix import POSTFIX
from sakimori_collector.domain.programs.program import Program
from sakimori_collector.domain.programs.su import AUTH
from sakimori_collector.domain.programs.sudo import SUDO
from sakimori_collector.domain.programs.systemd import SYSTEMD

PROGRAMS: Final[tuple[Program, ...]] = (
    OPENSSH,
    SUDO,
    AUTH,
    CRON,
    ACCOUNTS,
    SYSTEMD,
    KERNEL,
    FILTERLOG,
    POSTFIX,
    DOVECOT,
    EXIM,
    SENDMAIL,
    IMAP,
    VSFTPD,
    PROFTPD,
    PUREFTPD,
    FTPD,
    MYSQL,
    POSTGRESQL,
    NAMED,
    FAIL2BAN,
)

PROGRAM_OF: Final[dict[str, Program]] = {name: program for program in PROGRAMS for name in program.names}
"""By process name."""


@lru_cache(maxsize=4096)
def program_of(process: str) -> Program | None:
    """Find the program that a process name is one of."""
    found = PROGRAM_OF.get(process)
    return found if found is not None or "/" not in process else PROGRAM_OF.get("*/" + process.rpartition("/")[2])


__all__ = ["PROGRAMS", "PROGRAM_OF", "Program", "program_of"]
