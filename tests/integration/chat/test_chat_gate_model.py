"""The gate's script against a model that a reader can check: whatever people do, both say the same.

The server is the real one; its clock stands still until the test moves it, so windows, bans and quiet days pass at
once.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field
from typing import cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sakimori_chat.adapters.gate import ValkeyGate
from sakimori_chat.domain.enforcement import Measure
from sakimori_chat.domain.identity import Client, Hasher, parse_networks
from sakimori_chat.domain.limits import Limits, Outcome, Verdict
from sakimori_chat.ports import Admission, Attempt
from sakimori_common.valkey import open_valkey
from servers.clocked_valkey import ClockedValkey, find_faketime
from servers.patience import PATIENT_SECONDS

LIMITS = Limits(
    posts=3,
    window_seconds=10,
    ban_ladder_seconds=(30, 300, 3600),
    ban_memory_seconds=7200,
    fingerprint_posts=5,
    address_posts=7,
    throttled_posts=1,
    new_identities=4,
    new_identity_window_seconds=60,
    risk=8,
)
HASHER = Hasher("a key of the server, long enough")
CLIENTS = [
    HASHER.client("203.0.113.7", "Firefox", "en"),
    HASHER.client("203.0.113.7", "Chrome", "en"),
    HASHER.client("2001:db8:1:2::1", "Firefox", "en"),
    HASHER.client("2001:db8:1:2::2", "Safari", "en"),
    HASHER.client("192.0.2.10", "Firefox", "en"),
]
ALLOWED = parse_networks("192.0.2.0/24")
PEOPLE = [f"0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d{number:02x}" for number in range(6)]

clients = st.sampled_from(CLIENTS)
people = st.sampled_from(PEOPLE)


@dataclass
class _Standing:
    """A block or throttle: until when, when it was decided, whether an operator did."""

    until: int
    decided_at: int
    is_operators: bool


@dataclass
class Model:
    """What the requirements say, as simply as it can be said."""

    now: int
    counted: list[tuple[int, str, str, str]] = field(default_factory=list)
    newcomers: list[tuple[int, str]] = field(default_factory=list)
    known: set[tuple[str, str]] = field(default_factory=set)
    heard: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    risk: dict[str, float] = field(default_factory=dict)
    bans: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    steps: dict[str, tuple[int, int]] = field(default_factory=dict)
    standing: dict[tuple[bool, str, str], _Standing] = field(default_factory=dict)
    lifted: dict[tuple[bool, str, str], int] = field(default_factory=dict)
    slow_until: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    def admit(self, client: Client, person: str, room: str, slow: int) -> tuple[Outcome, int, int]:
        """Say what a post leads to: outcome, seconds to wait, step of a ban."""
        is_allowed = client.address.startswith("192.0.2.")
        refused = None if is_allowed else self._refused(client, person)
        refused = refused or self._limited(client, person, is_allowed=is_allowed)
        if refused is not None:
            return refused
        self._count(client, person, is_allowed=is_allowed)
        if slow and (left := self.slow_until[room, person] - self.now) > 0:
            return Outcome.SLOWED, left, 0
        if slow:
            self.slow_until[room, person] = self.now + slow
        return Outcome.ADMITTED, 0, 0

    def _refused(self, client: Client, person: str) -> tuple[Outcome, int, int] | None:
        if self.risk.get(client.fingerprint, 0) >= 8:
            return Outcome.HIGH_RISK, 30, 0
        if (left := max(self.bans[person], self._until(False, "user", person)) - self.now) > 0:
            return Outcome.BANNED, left, 0
        blocks = self._until(False, "fp", client.fingerprint), self._until(False, "ip", client.network)
        if (left := max(blocks) - self.now) > 0:
            return Outcome.DECIDED, left, 0
        if (left := self._crowd(client, person)) > 0:
            return Outcome.CROWDED, left, 0
        return None

    def enforce(self, measure: Measure, seconds: int) -> None:
        """Set or lift, unless something newer or somebody greater has spoken."""
        key = (measure.is_throttle, measure.kind, measure.entity)
        held = self.standing.get(key)
        held = held if held and held.until > self.now else None
        if (held and measure.decided_at < held.decided_at) or measure.decided_at < self.lifted.get(key, 0):
            return
        if held and measure.is_automatic and (held.is_operators if seconds == 0 else held.until >= self.now + seconds):
            return
        if seconds == 0:
            self.standing.pop(key, None)
            self.lifted[key] = measure.decided_at
            if key[:2] == (False, "user"):
                self.bans[measure.entity] = 0
                self.steps.pop(measure.entity, None)
            return
        by_operator = not measure.is_automatic or bool(held and held.is_operators)
        self.standing[key] = _Standing(self.now + seconds, measure.decided_at, by_operator)

    def _until(self, is_throttle: bool, kind: str, entity: str) -> int:  # a part of the key
        held = self.standing.get((is_throttle, kind, entity))
        return held.until if held else 0

    def _crowd(self, client: Client, person: str) -> int:
        came = [at for at, network in self.newcomers if network == client.network and at > self.now - 60]
        if self.now > self.heard[client.network] + 86_400:
            self.known = {each for each in self.known if each[0] != client.network}
        is_known = (client.network, person) in self.known
        return 0 if is_known or len(came) < 4 else came[0] + 60 - self.now

    def _limited(self, client: Client, person: str, *, is_allowed: bool) -> tuple[Outcome, int, int] | None:
        scopes = [("user", person, 1, 3), ("fp", client.fingerprint, 2, 5), ("ip", client.network, 3, 7)]
        for kind, entity, column, limit in scopes:
            times = [post[0] for post in self.counted if post[column] == entity and post[0] > self.now - 10]
            if kind == "user" and len(times) >= limit and not is_allowed:
                return self._ban(person)
            is_throttled = not is_allowed and self._until(True, kind, entity) > self.now
            most = 1 if is_throttled else limit
            if len(times) >= most:
                return Outcome.LIMITED, times[len(times) - most] + 10 - self.now, 0
        return None

    def _ban(self, person: str) -> tuple[Outcome, int, int]:
        step, ended = self.steps.get(person, (0, 0))
        step = max(0, step - max(0, self.now - ended) // 7200)
        step = min(step + 1, 3)
        seconds = (30, 300, 3600)[step - 1]
        self.bans[person] = self.now + seconds
        self.steps[person] = (step, self.now + seconds)
        return Outcome.LIMITED, seconds, step

    def _count(self, client: Client, person: str, *, is_allowed: bool) -> None:
        self.counted.append((self.now, person, client.fingerprint, client.network))
        self.heard[client.network] = self.now
        if (client.network, person) not in self.known:
            self.known.add((client.network, person))
            if not is_allowed:
                self.newcomers.append((self.now, client.network))


class GateAgainstModel(RuleBasedStateMachine):
    """Everything that can happen at the gate, in any order."""

    server: ClockedValkey

    @initialize()
    def open(self) -> None:
        """Begin with nothing in the server."""
        self.runner = asyncio.Runner()
        self.valkey = open_valkey(self.server.url, timeout_seconds=PATIENT_SECONDS)
        self.gate = ValkeyGate(self.valkey, LIMITS, ALLOWED)
        self._do(self.valkey.flushall())
        self.model = Model(self.server.now)

    def teardown(self) -> None:
        """Close what was opened."""
        self.runner.run(self.valkey.aclose())
        self.runner.close()

    @rule(client=clients, person=people, room=st.sampled_from(["lobby", "tea"]), slow=st.sampled_from([0, 0, 0, 20]))
    def post(self, client: Client, person: str, room: str, slow: int) -> None:
        """Somebody posts."""
        self._post(client, person, room, slow)

    @rule(client=clients, person=people, times=st.integers(2, 9), gap=st.sampled_from([0, 0, 1, 2]))
    def flood(self, client: Client, person: str, times: int, gap: int) -> None:
        """Somebody posts on and on."""
        for _ in range(times):
            self._post(client, person, "lobby", 0)
            self.wait(gap)

    @rule(seconds=st.sampled_from([1, 2, 5, 9, 10, 11, 30, 31, 59, 61, 300, 3601, 7200, 20_000]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.server.advance(seconds)
        self.model.now = self.server.now

    @rule(client=clients, risk=st.sampled_from(["0", "7.9", "8", "15", "nonsense"]))
    def risk(self, client: Client, risk: str) -> None:
        """The detector changes its mind about a browser."""
        self._do(self.valkey.set(f"risk:fp:{client.fingerprint}", risk))
        self.model.risk[client.fingerprint] = 0 if risk == "nonsense" else float(risk)

    @rule(
        client=clients,
        person=people,
        kind=st.sampled_from(["user", "fp", "ip"]),
        is_throttle=st.booleans(),
        decisions=st.lists(
            st.tuples(st.sampled_from([0, 1, 5, 30, 600]), st.sampled_from([0, 0, 3, 40]), st.booleans()),
            min_size=1,
            max_size=3,
        ),
    )
    def decide(
        self,
        client: Client,
        person: str,
        kind: str,
        is_throttle: bool,  # given by name
        decisions: list[tuple[int, int, bool]],
    ) -> None:
        """Decisions come, perhaps late, perhaps twice; and somebody tries at once."""
        entity = {"user": person, "fp": client.fingerprint, "ip": client.network}[kind]
        if kind == "user" and not is_throttle and self._is_banned_by_itself(person):
            return  # one key for both, and the rules of who may change it are those of decisions: not modelled
        for seconds, age, is_automatic in decisions:
            decided_at = (self.server.now - age) * 1_000_000
            measure = Measure(kind, entity, decided_at, seconds * 1000, is_automatic, is_throttle)
            self.runner.run(self.gate.enforce([measure, measure]))
            self.model.enforce(measure, seconds)
        self._post(client, person, "lobby", 0)

    @invariant()
    def nothing_stays_for_ever(self) -> None:
        """Every key but the risk that this test sets expires."""
        if not hasattr(self, "valkey"):
            return
        keys = cast("list[bytes]", self._do(self.valkey.keys("*")))
        endless = [key for key in keys if self._do(self.valkey.pttl(key)) == -1]
        assert [key for key in endless if not key.startswith(b"risk:fp:")] == []

    def _do(self, asked: Awaitable[object]) -> object:
        async def _answer() -> object:
            return await asked

        return self.runner.run(_answer())

    def _is_banned_by_itself(self, person: str) -> bool:
        return self.model.bans[person] > self.model.now

    def _post(self, client: Client, person: str, room: str, slow: int) -> None:
        expected = self.model.admit(client, person, room, slow)
        attempt = Attempt(client, person, room, slow)
        admission: Admission = self.runner.run(self.gate.admit(attempt))
        assert _told(admission.verdict) == expected


def _told(verdict: Verdict) -> tuple[Outcome, int, int]:
    assert verdict.seconds == round(verdict.seconds)
    return verdict.outcome, round(verdict.seconds), verdict.ban_step


@pytest.fixture(scope="module")
def clocked_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClockedValkey]:
    """A server whose clock the tests move."""
    library = find_faketime()
    if library is None:
        pytest.skip("libfaketime is not installed, and cannot be: only root on Debian or Ubuntu can")
    server = ClockedValkey(tmp_path_factory.mktemp("clocked"), library)
    server.start()
    yield server
    server.stop()


@pytest.mark.timeout(600)
def test_the_gate_does_what_the_model_says_whatever_people_do(clocked_valkey: ClockedValkey) -> None:
    machine = type("GateHere", (GateAgainstModel,), {"server": clocked_valkey})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
