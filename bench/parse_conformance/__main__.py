"""How far the parsers agree with fail2ban's and CrowdSec's own tests, per format.

    python -m bench.parse_conformance [--data DIR] [--suite NAME]... [--only TEXT] [--list] [--check [--floor RATIO]]

DIR is the development data (`../shared/data` or SAKIMORI_DATA). Every line is recognised by its content, as `auto`
does. Prints the agreement as Markdown; `--list` adds each disagreement with its reason from reasons.json. `--check`
exits with 1 when the share of checks that agree or have a reason lies under the floor.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.conformance import Check, Reasons, agreement, disagreements, table
from bench.development_data import data_options, is_there
from bench.parse_conformance import crowdsec, fail2ban

REASONS = Path(__file__).with_name("reasons.json")
SUITES: dict[str, Callable[[Path], Iterator[Check]]] = {"fail2ban": fail2ban.checks, "crowdsec": crowdsec.checks}
FLOOR = 1.0


def main() -> int:
    """Run the suites that are asked for; 2 when the data is not there."""
    parser = data_options(__doc__)
    parser.add_argument("--suite", action="append", choices=SUITES)
    parser.add_argument("--only", default="", help="checks whose group or name holds this text")
    parser.add_argument("--list", action="store_true", help="each disagreement")
    parser.add_argument("--check", action="store_true", help="exit with 1 when too much differs without a reason")
    parser.add_argument("--floor", type=float, default=FLOOR, help="the share that --check asks for, 0 to 1")
    options = parser.parse_args()
    if not is_there(options.data, "logs"):
        return 2
    checks = [check for name in options.suite or SUITES for check in SUITES[name](options.data)]
    checks = [check for check in checks if options.only in f"{check.group}/{check.name}"]
    reasons = Reasons(REASONS)
    print(table(checks, reasons))
    share = agreement(checks, reasons)
    print(f"\n{share:.1%} of {len(checks)} checks agree or are explained.")
    if options.list:
        print("\n## Disagreements\n\n" + disagreements(checks, reasons))
    return int(options.check and share < options.floor)


if __name__ == "__main__":
    sys.exit(main())
