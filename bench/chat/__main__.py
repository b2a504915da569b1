"""The chat's figures.

    python -m bench.chat [fanout] [abuser] [limiter] [--listeners N] [--messages-per-second N] [--seconds S]

`fanout`: how late messages are that a crowd hears over WebSockets, in one room and in twenty. `abuser`: whether one who
posts a thousand times a second slows others down. `limiter`: what the gate costs a post. Everything runs on this
machine, clients included; ratios beside the floor of the same run are what can be compared between machines.
"""

import argparse
from collections.abc import Callable
from typing import Final

from bench.chat import abuser, fanout, limiter
from bench.chat.fanout import Crowd
from bench.chat.stage import run, stage

_OPEN_DOOR: Final = {"requests_per_second": 100_000, "posts_per_second": 100_000}


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all when none is named")
    parser.add_argument("--listeners", type=int, default=2000)
    parser.add_argument("--messages-per-second", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    for part in given.parts or PARTS:
        print(f"## {part}", flush=True)
        PARTS[part](given)


def _fanout(given: argparse.Namespace) -> None:
    head = f"{'rooms':>6} {'p50 ms':>8} {'p99 ms':>8} {'worst ms':>9} {'said/s':>7} {'delivered/s':>12}"
    print(f"{head} {'a frame':>8} {'lost':>5} CPU")
    for rooms in (1, 20):
        crowd = Crowd(given.listeners, rooms, given.messages_per_second, given.seconds)
        with stage(rooms=fanout.more_rooms(rooms), **_OPEN_DOOR) as opened:
            found = run(fanout.measured(opened, crowd))
        print(
            f"{rooms:>6} {found.p50 * 1e3:>8.1f} {found.p99 * 1e3:>8.1f} {found.worst * 1e3:>8.1f} "
            f"{found.said_per_second:>7,.0f} {found.delivered_per_second:>12,.0f} "
            f"{found.messages_per_frame:>8.1f} {found.lost:>5} {found.cpu_share:.0%}",
            flush=True,
        )
        per_room = crowd.messages_per_second / rooms / found.messages_per_frame
        floor = run(fanout.floor(crowd, per_room, int(found.messages_per_frame * 200)))
        print(f"{'floor':>6} {'':>8} {floor * 1e3:>8.1f}   ratio of p99 {found.p99 / floor:.2f}", flush=True)


def _abuser(given: argparse.Namespace) -> None:
    with stage() as opened:
        found = run(abuser.measured(opened, given.seconds, given.turns))
    print(
        f"others' p95: {found.calm_p95 * 1e3:.1f} ms calm, {found.abused_p95 * 1e3:.1f} ms beside "
        f"{found.offered_per_second:,.0f} posts/s ({found.refused_ratio:.1%} refused): ratio {found.ratio:.2f}; "
        f"{found.elsewhere_p95 * 1e3:.1f} ms while these go to a server that only says no, "
        f"so the chat's own part is {found.own_ratio:.2f}; "
        f"chat {found.calm_cpu:.0%} of a core calm, {found.abused_cpu:.0%} beside the abuser"
    )


def _limiter(_: argparse.Namespace) -> None:
    with stage() as opened:
        cost = run(limiter.measured(opened.valkey_url))
    print(
        f"PING {cost.ping_p50 * 1e6:.0f} us p50, {cost.ping_p99 * 1e6:.0f} us p99; "
        f"admit {cost.admit_p50 * 1e6:.0f} us p50, {cost.admit_p99 * 1e6:.0f} us p99; "
        f"in Valkey {cost.script_mean * 1e6:.0f} us; p99 over PING {(cost.admit_p99 - cost.ping_p99) * 1e6:.0f} us, "
        f"ratio {cost.admit_p99 / cost.ping_p99:.2f}"
    )


PARTS: Final[dict[str, Callable[[argparse.Namespace], None]]] = {
    "fanout": _fanout,
    "abuser": _abuser,
    "limiter": _limiter,
}

if __name__ == "__main__":
    main()
