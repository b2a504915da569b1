"""What a program that logs through syslog is."""

from collections.abc import Callable
from dataclasses import dataclass

from sakimori_collector.domain.syslog import SyslogLine
from sakimori_common.contracts import FieldValue

Fields = dict[str, FieldValue]


@dataclass(frozen=True, slots=True)
class Program:
    """One program, or a family of them, that syslog names in its header.

    `dataset` is the `event.dataset` of its events, `names` the process names (without path, number and parentheses) it
    is known by; `*/smtpd` stands for every name that ends so. `explain` takes a message apart: it gives the ECS fields
    of what was said, at least `event.category`, `event.action` and `event.outcome`; those of the header
    (`host.hostname`, `process.*`, `message`) come beside them. It raises LineRejected and nothing else, for any text; a
    field `event.dataset` names another dataset.

    `logins` is the dataset of its authentication events, where that is another one: rules for logins
    (`category: authentication`) then see those, and nothing else that may fail.
    """

    dataset: str
    names: frozenset[str]
    explain: Callable[[SyslogLine], Fields]
    logins: str = ""
