"""What the sensor knows beforehand about devices, and the opinion that follows from it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sakimori_packet_sensor.domain.devices.model import OTHER, Guess, Model
from sakimori_packet_sensor.domain.devices.neighbourhood import Manufacturer
from sakimori_packet_sensor.domain.devices.opinion import RANDOM, UNKNOWN, Ground, Opinion
from sakimori_packet_sensor.domain.devices.rules import RuleTable

LEAST_TYPE: Final = 0.5
"""A type less likely than this is not said."""
LEAST_PRODUCT: Final = 0.4
"""A product less likely is not said: of two that cannot be told apart, the likelier is, at some 0.5; of three none."""
MAX_EVIDENCE: Final = 8
_MODEL_SIGNS: Final = 4


class Knowledge(NamedTuple):
    """Rules, the model (None: rules only) and whose a MAC address is."""

    rules: RuleTable
    model: Model | None
    manufacturer: Manufacturer


def opinion(knowledge: Knowledge, signs: Sequence[str], manufacturer: str) -> Opinion:
    """Say what a device is.

    Rules and model are independent witnesses; each type's belief is combined by Dempster's rule (Shafer, A Mathematical
    Theory of Evidence, 1976): what a witness does not give to a type stays undecided, and counts against none.
    """
    maker = [f"maker:{manufacturer.casefold()}"] if manufacturer and manufacturer != RANDOM else []
    verdict = knowledge.rules.verdict([*maker, *signs])
    by_rules = _belief(verdict.grounds)
    guess = _guess(knowledge.model, signs)
    model = knowledge.model
    if guess is None or model is None:
        return _said(by_rules, Opinion(evidence=_reasons(verdict.grounds), system=verdict.system))
    by_model: dict[str, float] = defaultdict(float)
    for product, probability in zip(model.products, guess.probabilities.tolist(), strict=True):
        if product.name != OTHER:
            by_model[product.type] += probability
    place = int(guess.probabilities.argmax())
    likeliest, probability = model.products[place], float(guess.probabilities[place])
    is_said = likeliest.name != OTHER and probability >= LEAST_PRODUCT
    shown = [f"as {likeliest.name}: {sign}" for sign in model.reasons(signs, place, _MODEL_SIGNS)] if is_said else []
    return _said(
        _combined(by_rules, by_model),
        Opinion(
            product=likeliest.name if is_said else "",
            product_probability=round(probability, 4) if is_said else 0.0,
            family=_family(model, guess),
            evidence=(*_reasons(verdict.grounds), *shown)[:MAX_EVIDENCE],
            system=verdict.system,
        ),
    )


def _guess(model: Model | None, signs: Sequence[str]) -> Guess | None:
    if model is None:
        return None
    guess = model.guess(signs)
    return guess if guess.known_signs else None


def _family(model: Model, guess: Guess) -> str:
    """Name the family that is more likely than not: what is left to say when the product is unsure."""
    sums: dict[str, float] = defaultdict(float)
    for product, probability in zip(model.products, guess.probabilities.tolist(), strict=True):
        sums[product.family] += probability
    family = max(sums, key=lambda name: (sums[name], name))
    return family if sums[family] >= LEAST_TYPE else ""


def _said(belief: Mapping[str, float], rest: Opinion) -> Opinion:
    """Put the likeliest type into an opinion."""
    likeliest = max(belief, key=lambda name: (belief[name], name), default=UNKNOWN)
    probability = belief.get(likeliest, 0.0)
    if probability < LEAST_TYPE:
        return rest._replace(type=UNKNOWN, type_probability=round(1 - probability, 4))
    return rest._replace(type=likeliest, type_probability=round(probability, 4))


def _belief(grounds: Sequence[Ground]) -> dict[str, float]:
    """Combine what the rules say: a simple support function a ground (Shafer, chapter 4)."""
    doubt: dict[str, float] = defaultdict(lambda: 1.0)
    for ground in grounds:
        doubt[ground.type] *= 1 - ground.probability
    everything = 1.0
    for each in doubt.values():
        everything *= each
    masses = {name: (1 - each) * everything / each for name, each in doubt.items()}
    total = sum(masses.values()) + everything
    return {name: mass / total for name, mass in masses.items()}


def _combined(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Combine two beliefs in single types; what is missing to 1 is undecided."""
    open_one, open_other = max(1 - sum(one.values()), 1e-9), max(1 - sum(other.values()), 1e-9)
    masses = {
        name: one.get(name, 0.0) * other.get(name, 0.0)
        + one.get(name, 0.0) * open_other
        + open_one * other.get(name, 0.0)
        for name in {**one, **other}
    }
    total = sum(masses.values()) + open_one * open_other
    return {name: mass / total for name, mass in masses.items()}


def _reasons(grounds: Sequence[Ground]) -> tuple[str, ...]:
    return tuple(ground.says for ground in grounds[:MAX_EVIDENCE])
