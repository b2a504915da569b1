"""The shapes in which agents write an event of Windows, each taken apart into the same parts."""

from dataclasses import dataclass, field
from typing import Any, Final

from sakimori_collector.domain.json_kind import Object, nested


@dataclass(slots=True)
class WindowsEvent:
    """An event's `System` part, its message where an agent rendered one, and its data by name."""

    channel: str
    code: object
    time: object
    provider: object = None
    computer: object = None
    record: object = None
    level: object = None
    keywords: object = None
    message: object = None
    data: dict[str, Any] = field(default_factory=dict)


def is_event(read: Object) -> bool:
    """Tell an event of Windows, at the cost of some look-ups."""
    if "Channel" in read and "EventID" in read:
        return isinstance(read["Channel"], str)
    for name in ("winlog", "Event", "win"):
        if name in read:
            return isinstance(read[name], dict) and shape_of(read) is not None
    return "System" in read and shape_of(read) is not None


def shape_of(read: Object) -> WindowsEvent | None:
    """Take an object apart; None when it is no event of Windows."""
    if "winlog" in read:
        return _of_winlogbeat(read)
    if "EventID" in read and "Channel" in read:
        return _of_flat(read)
    if "Event" in read:
        return _of_xml(read["Event"])
    if "System" in read and ("EventData" in read or "UserData" in read):
        return _of_xml(read)
    if "win" in read:
        return _of_wazuh(read)
    return None


def _of_winlogbeat(read: Object) -> WindowsEvent | None:
    winlog = read["winlog"]
    if not isinstance(winlog, dict) or not isinstance(winlog.get("channel"), str):
        return None
    event, data = nested(read, "event") or {}, winlog.get("event_data")
    parts = dict(data) if isinstance(data, dict) else {}
    parts.update(_leaves(winlog.get("user_data")))
    return WindowsEvent(
        winlog["channel"],
        winlog.get("event_id", nested(event, "code")),
        read.get("@timestamp"),
        winlog.get("provider_name", nested(event, "provider")),
        winlog.get("computer_name"),
        winlog.get("record_id"),
        nested(read, "log", "level"),
        ", ".join(map(str, winlog["keywords"])) if isinstance(winlog.get("keywords"), list) else winlog.get("keywords"),
        read.get("message"),
        parts,
    )


_SYSTEM: Final = frozenset({
    "Channel", "EventID", "EventTime", "EventReceivedTime", "TimeCreated", "UtcTimeCreated", "@timestamp", "Hostname",
    "Computer", "host", "Keywords", "RecordNumber", "EventRecordID", "Level", "Severity", "SeverityValue",
    "EventType", "SourceName", "ProviderName", "Provider", "ProviderGuid", "Message", "SourceModuleName",
    "SourceModuleType", "Version", "Task", "Opcode", "OpcodeValue", "Qualifiers", "ThreadID", "ExecutionProcessID",
    "ExecutionThreadID", "ActivityID", "RelatedActivityID", "@version", "port", "tags", "StringInserts",
    "TimeGenerated", "ProcessID", "EventTimeWritten",
})  # fmt: skip
"""What is of the event as such in flat shapes; all else is its data."""
_KINDS: Final = frozenset({"INFO", "WARNING", "ERROR", "VERBOSE", "CRITICAL", "AUDIT_SUCCESS", "AUDIT_FAILURE"})
_PROVIDERS: Final = ("Provider_Name", "SourceName", "ProviderName", "Provider")


def _of_flat(read: Object) -> WindowsEvent | None:
    """NXLog (`EventTime`, `Hostname`, `SourceName`), Fluent Bit (`TimeCreated`, `Computer`, `ProviderName`)."""
    if not isinstance(read["Channel"], str):
        return None
    data = {name: value for name, value in read.items() if name not in _SYSTEM and name not in _PROVIDERS}
    if isinstance(read.get("EventType"), str) and read["EventType"] not in _KINDS:
        data["EventType"] = read["EventType"]  # of Sysmon's registry events
    times = ("@timestamp", "TimeCreated", "UtcTimeCreated", "EventTime", "TimeGenerated")
    inserts = read.get("StringInserts")
    if isinstance(inserts, list) and inserts:
        data["Data"] = inserts
    return WindowsEvent(
        read["Channel"],
        read["EventID"],
        next((read[name] for name in times if read.get(name)), None),
        next((read[name] for name in _PROVIDERS if isinstance(read.get(name), str)), None),
        read.get("Hostname") or read.get("Computer"),
        read.get("RecordNumber", read.get("EventRecordID")),
        read.get("Severity") if read.get("Level") is None else read["Level"],
        "Audit Failure" if read.get("EventType") == "AUDIT_FAILURE" else read.get("Keywords"),
        read.get("Message"),
        data,
    )


def _of_xml(event: object) -> WindowsEvent | None:
    """What tools make of XML: attributes under `#attributes`, `@name`, `$` or beside, texts under `#text` or `_`."""
    system = nested(event, "System")
    if not isinstance(system, dict) or not isinstance(_value(system.get("Channel")), str):
        return None
    data = _data(nested(event, "EventData"))
    data.update(_leaves(nested(event, "UserData")))
    return WindowsEvent(
        _value(system["Channel"]),
        _value(system.get("EventID")),
        _attribute(system.get("TimeCreated"), "SystemTime"),
        _attribute(system.get("Provider"), "Name"),
        _value(system.get("Computer")),
        _value(system.get("EventRecordID")),
        _value(system.get("Level")),
        _value(system.get("Keywords")),
        nested(event, "RenderingInfo", "Message"),
        data,
    )


def _value(value: object) -> Any:
    if isinstance(value, dict):
        return value.get("#text", value.get("_", value.get("Value", value.get("text"))))
    return value


def _attribute(value: object, name: str) -> Any:
    for attributes in (nested(value, "#attributes"), nested(value, "$"), nested(value, "attributes"), value):
        if isinstance(attributes, dict):
            found = attributes.get(name, attributes.get(f"@{name}"))
            if found is not None:
                return found
    return None


def _data(data: object) -> dict[str, Any]:
    """By name; what has none is `Data`, a list, as Sigma's rules for old channels read it."""
    if not isinstance(data, dict):
        return {"Data": data} if isinstance(data, str | list) and data else {}
    named = {name: _value(value) for name, value in data.items() if name not in {"Data", "#attributes", "$"}}
    listed = data.get("Data")
    unnamed: list[Any] = []
    for each in listed if isinstance(listed, list) else [listed] if listed is not None else []:
        name = _attribute(each, "Name")
        if isinstance(name, str):
            named[name] = _value(each)
        else:
            text = _value(each)
            unnamed += text if isinstance(text, list) else [text] if text is not None else []
    if unnamed:
        named["Data"] = unnamed
    return named


def _of_wazuh(read: Object) -> WindowsEvent | None:
    system, data = nested(read, "win", "system"), nested(read, "win", "eventdata")
    if not isinstance(system, dict) or not isinstance(system.get("channel"), str):
        return None
    return WindowsEvent(
        system["channel"],
        system.get("eventID"),
        system.get("systemTime"),
        system.get("providerName"),
        system.get("computer"),
        system.get("eventRecordID"),
        system.get("level"),
        system.get("keywords"),
        system.get("message"),
        {name[:1].upper() + name[1:]: value for name, value in data.items()} if isinstance(data, dict) else {},
    )


def _leaves(data: object) -> dict[str, Any]:
    """`UserData` has an element of its own around its data, which has no meaning to a rule."""
    found: dict[str, Any] = {}
    waiting = [(data, 0)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, dict) and depth < 8:
            for name, item in value.items():
                if isinstance(item, dict):
                    waiting.append((item, depth + 1))
                elif name[:1] not in "#@$" and name != "xml_name":
                    found[name] = item
    return found
