"""How many events a test lets through, estimated from the rules alone: which of its tests a rule waits for.

What many rules ask for is common, else they would not: an action, an outcome, `.php`. Long texts are rare.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from sakimori_detector.sigma.conditions import (
    Compares,
    Condition,
    Cost,
    Exact,
    Exists,
    Fits,
    InNetwork,
    Matches,
    Test,
    tests_of,
)
from sakimori_detector.sigma.literals import NONE, Common, CommonTexts, alike, literals_of, required, share_of


def costs(conditions: Iterable[Condition], common: CommonTexts) -> Cost:
    """Make the estimate for these conditions; of texts that are known to be common, it is 1 and above."""
    uses = Counter(test for condition in conditions for test in set(tests_of(condition)))
    asked = Counter[str]()
    for test, count in uses.items():
        if isinstance(test, Exact):
            asked[test.field] += count

    def cost(test: Test) -> float:
        known = uses[test] or 1  # of one that only stands for another
        if isinstance(test, Exact):
            if alike(test.value) in common.get(test.field, NONE):
                return 1.0
            return known / max(asked[test.field], 1) * _SIGN_OF_A_VALUE ** min(len(test.value), 64)
        return known * _share(test, common.get(test.field, NONE))

    return cost


_SIGN_OF_A_VALUE: Final = 0.9
"""What a character of an exact value is worth: little, for names of actions are long and in most events."""


def _share(test: Test, common: Common) -> float:
    match test:
        case Fits():
            return min((share_of(text, common) for text in literals_of(test.wildcards)), default=1.0)
        case Matches():
            literals = required(test.expression.source, common)
            return 1.0 if literals is None else literals.share(common)
        case InNetwork():
            return float(0.5 ** (test.network.prefixlen / (2 if test.network.version == 4 else 4)))
        case Compares():
            return 0.3
        case Exists(is_there=False):
            return 0.5
    return 0.9
