"""How far the sensor agrees with the test suites of Suricata, Zeek and nDPI, per protocol.

    python -m bench.sensor_conformance [--data DIR] [--suite NAME]... [--only TEXT]

DIR is the development data (`../shared/data` or SAKIMORI_DATA). Each check is something that a peer's own suite
expects of a capture: so many events with these fields (suricata), a row of a log (zeek), the protocol of a flow, its
host name and fingerprint (ndpi), what must be detected and what must not (truth: sensor and detector together). Prints
the agreement as Markdown and lists each disagreement with its reason from reasons.json; exits with 1 if one has none.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.conformance import Check, Reasons, Verdict, disagreements, table, verdict
from bench.development_data import data_options, is_there
from bench.sensor_conformance import ndpi, suricata, truth, zeek

REASONS = Path(__file__).with_name("reasons.json")
SUITES: dict[str, Callable[[Path], Iterator[Check]]] = {
    "suricata": suricata.checks,
    "zeek": zeek.checks,
    "ndpi": ndpi.checks,
    "truth": truth.checks,
}


def main() -> int:
    """Run the suites that are asked for; 2 when the data is not there."""
    parser = data_options(__doc__)
    parser.add_argument("--suite", action="append", choices=SUITES)
    parser.add_argument("--only", default="", help="checks whose name or protocol holds this text")
    options = parser.parse_args()
    if not is_there(options.data, "pcaps"):
        return 2
    checks = [check for name in options.suite or SUITES for check in SUITES[name](options.data)]
    checks = [check for check in checks if options.only in f"{check.group}/{check.name}"]
    reasons = Reasons(REASONS)
    print(table(checks, reasons))
    print("\n## Disagreements\n\n" + disagreements(checks, reasons))
    return int(any(verdict(check, reasons) is Verdict.DIFFERS for check in checks))


if __name__ == "__main__":
    sys.exit(main())
