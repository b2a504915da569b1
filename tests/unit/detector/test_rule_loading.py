"""From files to rules: what loads, what is refused, and where the finger points."""

import pytest

import detector_rules
from sakimori_common.contracts import DecisionAction, Severity
from sakimori_detector.domain.cases import missing_cases
from sakimori_detector.domain.intelligence.values import Kind
from sakimori_detector.domain.loading import load
from sakimori_detector.domain.rules import CorrelationRule, Measure
from sakimori_detector.domain.sources import LogSource, datasets_of

BRUTE = detector_rules.BRUTE_FORCE
SQL = detector_rules.SQL_INJECTION


def test_a_correlation_loads_with_all_it_says() -> None:
    (rule,) = load({"auth/brute_force_attack.yml": BRUTE}).rules
    assert isinstance(rule, CorrelationRule)
    assert (rule.id, rule.severity, rule.confidence) == ("brute_force_attack", Severity.HIGH, 0.9)
    assert (rule.tactics, rule.techniques) == (("credential-access",), ("T1110.001",))
    assert (rule.correlation.threshold, rule.correlation.timespan_seconds, rule.window_seconds) == (5, 300, 300)
    assert (rule.correlation.group_by, rule.datasets) == (("source.ip", "user.name"), ("openssh.auth",))
    assert rule.measure == Measure(DecisionAction.BLOCK, 3600)
    assert [case.fires for case in rule.cases] == [True, False]


def test_a_broken_file_is_reported_and_the_rest_loads() -> None:
    loaded = load({"web/sql_injection.yml": SQL, "web/broken.yml": "title: [unclosed\nx: y"})
    assert [rule.id for rule in loaded.rules] == ["sql_injection"]
    (problem,) = loaded.problems
    assert (problem.path, problem.line) == ("web/broken.yml", 2)


@pytest.mark.parametrize(
    ("text", "why", "line"),
    [
        ("", "empty", 1),
        ("- a\n- b", "map", 1),
        ("title: a\ntitle: b", "'title' stands here twice", 2),
        ("a: *nothing", "undefined alias", 1),
        ("a: !!python/object:os.system x", "could not determine a constructor", 1),
        ("\0", "special characters are not allowed", 1),
        ("[" * 5000, "nested too deep", 1),
        (SQL.replace("level: critical", "level: terrible"), "terrible", 7),
        (SQL.replace("level: critical\n", ""), "level", 2),
        (SQL.replace("name: sql_injection", "name: other"), "must be 'sql_injection'", 3),
        (SQL.replace("5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0003", "not-a-uuid"), "uuid", 4),
        (SQL.replace("logsource: {category: webserver}\n", ""), "log source", 2),
        (SQL.replace("confidence: 0.8", "confidence: 8"), "<= 1", 14),
        (SQL.replace("  why: It reads what it should not.\n", ""), "missing required field `why`", 13),
        (SQL.replace("response:", "reponse:"), "reponse", 18),
        (SQL + "  decision: {action: explode, seconds: 5}\n", "explode", 19),
        (SQL + "  cases: [{name: a, fires: maybe, events: [{a: 1}]}]\n", "bool", 19),
        (BRUTE.replace("type: event_count", "type: timely"), "type: one of", 19),
        (BRUTE.replace("{gte: 5}", "{gte: 5, lt: 5}"), "can never hold", 23),
        (BRUTE.replace("{gte: 5}", "{gte: x}"), "x", 23),
        (BRUTE.replace("timespan: 5m", "timespan: soon"), "soon", 22),
        (BRUTE.replace("rules: [failed_login]", "rules: [nobody]"), "'nobody'", 20),
        (BRUTE.replace("entity: source.ip", "entity: host.hostname"), "none of group-by", 25),
        (detector_rules.BAN_EVASION.replace("ban_evasion}", "crystal_ball}"), "'crystal_ball' is none of", 8),
        (detector_rules.BAN_EVASION.replace("type: ban_evasion", "type: ban_evasion, chnages: 3"), "chnages", 8),
        (detector_rules.BLACKLIST.replace("list: addresses", "list: nothing"), "no list 'nothing'", 7),
        (detector_rules.BLACKLIST.replace("nginx.access,", "nginx.excess,"), "nginx.excess", 7),
        (detector_rules.CHAT_RISK.replace("{type: chat_risk}", "{type: chat_risk, ladder: []}"), "rung", 8),
    ],
)
def test_a_mistake_is_refused_with_its_place_and_reason(text: str, why: str, line: int) -> None:
    name = next(
        (name for name in detector_rules.ALL if f"name: {name.split('/')[1][:-4]}\n" in text), "sql_injection.yml"
    )
    loaded = load({name: text}, detector_rules.LISTS)
    assert loaded.rules == ()
    (problem,) = loaded.problems
    assert why.lower() in problem.why.lower()
    assert problem.line == line


def test_the_same_id_in_two_files_is_refused() -> None:
    other = SQL.replace("name: sql_injection", "name: other")
    loaded = load({"web/other.yml": other, "web/sql_injection.yml": SQL})
    assert [rule.id for rule in loaded.rules] == ["other"]
    assert "is that of web/other.yml" in loaded.problems[0].why


def test_two_files_of_one_name_are_refused() -> None:
    loaded = load({"a/sql_injection.yml": SQL, "b/sql_injection.yml": SQL.replace("0003", "0099")})
    assert (len(loaded.rules), loaded.problems[0].path) == (1, "b/sql_injection.yml")


def test_gt_is_one_more_than_gte_and_eq_fires_on_the_way_up() -> None:
    for condition, threshold in (("{gt: 100}", 101), ("{gte: 100}", 100), ("{eq: 100}", 100)):
        (rule,) = load({"brute_force_attack.yml": BRUTE.replace("{gte: 5}", condition)}).rules
        assert isinstance(rule, CorrelationRule)
        assert rule.correlation.threshold == threshold


def test_a_bad_line_of_a_list_is_named_and_the_others_are_used() -> None:
    loaded = load({}, {"lists/addresses.txt": "192.0.2.1\nnobody\n\n# comment\n198.51.100.0/24"})
    assert [(problem.line, problem.path) for problem in loaded.problems] == [(2, "lists/addresses.txt")]
    hit = loaded.world.lists["addresses"].find(Kind.IP, "198.51.100.9", 0)
    assert hit is not None
    assert hit.indicator == "198.51.100.0/24"


def test_a_rule_without_a_firing_case_and_a_near_miss_is_told_so() -> None:
    (sql,) = load({"sql_injection.yml": SQL}).rules
    (brute,) = load({"brute_force_attack.yml": BRUTE}).rules
    assert len(missing_cases(sql)) == 2
    assert missing_cases(brute) == []


@pytest.mark.parametrize(
    ("source", "datasets"),
    [
        (
            LogSource(category="webserver"),
            ("nginx.access", "apache.access", "network.http", "haproxy.access", "caddy.access", "traefik.access"),
        ),
        (LogSource(product="sakimori", service="modbus"), ("network.modbus",)),
        (LogSource(product="apache"), ("apache.access", "apache.error", "apache.auth")),
        (
            LogSource(category="authentication"),
            (
                *(
                    "openssh.auth",
                    "gateway.auth",
                    "linux.auth",
                    "linux.sudo",
                    "nginx.auth",
                    "apache.auth",
                    "postfix.auth",
                    "dovecot.auth",
                    "exim.auth",
                ),
                *(
                    "sendmail.auth",
                    "imap.auth",
                    "vsftpd.auth",
                    "proftpd.auth",
                    "pureftpd.auth",
                    "ftpd.auth",
                    "mysql.auth",
                ),
                "postgresql.auth",
            ),
        ),
        (LogSource(product="linux", service="sshd"), ("openssh.auth",)),
        (LogSource(category="authentication", service="sakimori"), ("gateway.auth",)),
        (LogSource(product="sakimori", service="chat"), ("chat.message", "chat.security")),
        (LogSource(category="network_connection"), ("network.flow",)),
        (LogSource(category="dns"), ("network.dns", "bind.named", "zeek.dns")),
        (LogSource(product="sakimori", service="device"), ("network.device",)),
        (LogSource(category="process_creation"), ()),
        (LogSource(category="process_creation", product="windows"), ("windows.sysmon", "windows.security")),
        (LogSource(category="process_creation", product="windows", service="sysmon"), ("windows.sysmon",)),
        (LogSource(product="linux", service="sudo"), ("linux.sudo",)),
        (LogSource(product="aws", service="cloudtrail"), ("aws.cloudtrail",)),
    ],
)
def test_log_sources_map_to_datasets(source: LogSource, datasets: tuple[str, ...]) -> None:
    assert datasets_of(source) == datasets
