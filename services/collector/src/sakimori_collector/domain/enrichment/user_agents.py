"""Which kind of program a request comes from, by what it says of itself.

Browser, version, system and device come from ua-parser (the expressions of uap-core, in Rust); what is no person from
crawler-user-agents, all its expressions in one RE2 set. A new agent costs some 30 us and up, one of the last ones 0.1.
"""

from functools import lru_cache
from typing import Final

import re2
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from ua_parser import Domain, PartialResult
from ua_parser.loaders import load_lazy_builtins
from ua_parser.regex import Resolver

from sakimori_collector.domain.enrichment.facts import Facts
from sakimori_common.contracts import FieldValue

CLASS: Final = "sakimori.user_agent.class"
_REMEMBERED: Final = 16_384
_READ: Final = 512
"""Characters that are looked at: no honest agent says more, and so little of a dishonest one is remembered."""
_TAGS: Final = (("scanner", "scanner"), ("http-library", "tool"), ("browser-automation", "tool"))
_SCANNERS: Final = (
    r"(?i)\b(?:nikto|sqlmap|nuclei|acunetix|netsparker|invicti|nessus|openvas|w3af|wpscan|joomscan|whatweb|arachni|skipfish|"
    r"wapiti|burp|zaproxy|nmap|masscan|zgrab|zmap|naabu|gobuster|feroxbuster|dirbuster|dirsearch|ffuf|wfuzz|dalfox|xsser|"
    r"commix|jaeles|hydra|medusa|zmeu|jorgee|morfeus|l9explore|leakix|censysinspect|internetmeasurement|expanse)\b"
)
_TOOLS: Final = (
    r"(?i)^(?:curl|wget|python|go-http-client|java|okhttp|apache-httpclient|libwww|lwp|perl|ruby|php|guzzle|axios|node|undici|"
    r"postman|insomnia|httpie|aiohttp|httpx|reqwest|rest-client|powershell|winhttp|git/|docker|containerd|apt|dnf|yum|"
    r"debian apt|pip|npm|helm|kubectl|aws-|boto|terraform|ansible|rclone|aria2|dart|swift|cfnetwork|"
    r"mozilla/5\.0 \(windows[^)]{0,64}\) windowspowershell)"
)
_MONITORS: Final = (
    r"(?i)(?:kube-probe|prometheus|elb-healthchecker|googlehc|uptime|pingdom|zabbix|nagios|check_http|blackbox)"
)


class UserAgents:
    """Read agents, each once as long as it is remembered. It takes 40 MB and 0.4 seconds to begin with."""

    def __init__(self) -> None:
        self._read = Resolver(load_lazy_builtins())
        self._kinds = [_kind_of(entry.get("tags", [])) for entry in CRAWLER_USER_AGENTS_DATA]
        self._kinds += ["scanner", "tool", "bot"]
        known = [entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA]
        self._set = _set_of([*known, _SCANNERS, _TOOLS, _MONITORS])
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._facts)

    def facts(self, agent: str) -> Facts:
        """Say name, version, system, device and class (browser, bot, tool, scanner, empty, unknown) of an agent."""
        return self._remembered(agent[:_READ])

    def _facts(self, agent: str) -> Facts:
        if not agent.strip(" -"):
            return {CLASS: "empty"}
        read = self._read(agent, Domain.ALL)
        found: dict[str, FieldValue] = {CLASS: self._class_of(agent, read)}
        if read.user_agent is not None:
            parts = (read.user_agent.major, read.user_agent.minor, read.user_agent.patch)
            _put(found, "user_agent", read.user_agent.family, parts)
        if read.os is not None:
            _put(found, "user_agent.os", read.os.family, (read.os.major, read.os.minor, read.os.patch))
        if read.device is not None:
            found["user_agent.device.name"] = read.device.family
        return found

    def _class_of(self, agent: str, read: PartialResult) -> str:
        kinds = {self._kinds[number] for number in self._set.Match(agent) or ()}
        for kind in ("scanner", "tool", "bot"):
            if kind in kinds:
                return kind
        if read.device is not None and read.device.family == "Spider":
            return "bot"
        has_system = read.os is not None or read.device is not None
        return "browser" if read.user_agent is not None and has_system and agent.startswith(_BROWSERS) else "unknown"


_BROWSERS: Final = ("Mozilla/", "Opera/", "Dalvik/")


def _put(found: dict[str, FieldValue], name: str, family: str, version: tuple[str | None, ...]) -> None:
    found[f"{name}.name"] = family
    parts: list[str] = []
    for part in version:
        if not part:
            break
        parts.append(part)
    if parts:
        found[f"{name}.version"] = ".".join(parts)


def _kind_of(tags: list[str]) -> str:
    return next((kind for tag, kind in _TAGS if tag in tags), "bot")


def _set_of(patterns: list[str]) -> "re2.Set":
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 32 << 20
    found = re2.Set.SearchSet(options)
    for pattern in patterns:
        found.Add(pattern)
    found.Compile()
    return found
