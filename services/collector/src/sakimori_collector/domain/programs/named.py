"""BIND: queries, transfers and updates that were refused (BIND 9, lib/ns/client.c, query.c, update.c, xfrout.c)."""

import re
from typing import Final

from sakimori_collector.domain.programs.phrases import MESSAGE_LIMIT, compiled, other
from sakimori_collector.domain.programs.phrases import explain as said
from sakimori_collector.domain.programs.program import Fields, Program
from sakimori_collector.domain.syslog import SyslogLine

STAMP = r"\d{1,2}-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d(?:\.\d{1,6})? "
_BEGINNING = re.compile(
    rf"(?:{STAMP})?(?:(?P<category>[a-z-]{{3,32}}): )?(?:(?P<level>critical|error|warning|notice|info|debug "
    rf"\d{{1,3}}|debug): )?"
)
_CLIENT = (
    r"client (?:@0x[0-9a-fA-F]{1,16} )?(?P<address>[0-9a-fA-F.:]{2,45})#(?P<source__port>\d{1,5})"
    r"(?:/key (?P<bind__key>\S{1,255}))?(?: \((?P<bind__view>[^)]{0,255})\))?(?:: view [^\s:]{1,255})?: "
)
_QUESTION = (
    r"'(?P<dns__question__name>[^'/]{0,1024})/(?:(?P<dns__question__type>[A-Z0-9*-]{1,16})/)?"
    r"(?P<dns__question__class>[A-Z0-9]{1,16})'"
)

SAID: Final = compiled(
    {
        ("network", "dns_refused", "failure"): (
            rf"{_CLIENT}(?P<bind__asked>query|query \(cache\)|zone transfer|update|update forwarding|notify) "
            rf"{_QUESTION} (?:denied|not allowed)@rest",
            rf"{_CLIENT}(?:bad )?(?P<bind__asked>zone transfer) request: {_QUESTION}: .*",
            rf"{_CLIENT}updating zone {_QUESTION}: (?P<bind__asked>update) .*(?:denied|failed|unsuccessful).*",
            rf"{_CLIENT}(?P<bind__asked>recursion|transfer|query|query \(cache\)|update).* denied@rest",
            rf"{_CLIENT}(?P<bind__asked>request) has invalid signature@rest",
        ),
        ("network", "dns_query", "unknown"): (
            rf"{_CLIENT}query: (?P<dns__question__name>\S{{1,1024}}) (?P<dns__question__class>\S{{1,16}}) "
            rf"(?P<dns__question__type>\S{{1,16}}) @rest",
        ),
        ("network", "dns_client", "unknown"): (rf"{_CLIENT}@rest",),
    }
)


def explain_text(message: str) -> Fields:
    """Say what named means; category and level come before the text where `print-category` is on."""
    if len(message) > MESSAGE_LIMIT:
        return other("network", "dns_other")
    match = _BEGINNING.match(message)
    text = message[match.end() :] if match is not None else message
    fields = said(text.rstrip(), SAID) or other("network", "dns_other")
    if match is not None and match["level"]:
        fields["log.level"] = match["level"]
    return fields


def explain(line: SyslogLine) -> Fields:
    """Say what named means."""
    return explain_text(line.message)


NAMED = Program("bind.named", frozenset({"named"}), explain)
