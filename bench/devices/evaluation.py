"""How well devices are told that the model has not seen: other captures, other units, other products."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from math import sqrt
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from bench.devices import corpus, fitting
from bench.devices.corpus import Sample
from sakimori_packet_sensor.adapters.knowledge import shipped_rules
from sakimori_packet_sensor.adapters.vendors import manufacturer
from sakimori_packet_sensor.domain.devices.knowledge import Knowledge, opinion
from sakimori_packet_sensor.domain.devices.model import OTHER, Model
from sakimori_packet_sensor.domain.devices.opinion import Opinion

FOLDS: Final = 4
"""As many as there are captures of a unit: each is left out once."""
SPLITS: Final = 20
BINS: Final = 10


class Told(NamedTuple):
    """A sample and what was said of it, by a model that had not seen it."""

    sample: Sample
    said: Opinion


class Score(NamedTuple):
    """So many of so many, with Wilson's 95 % interval."""

    right: int
    total: int

    def __str__(self) -> str:
        if not self.total:
            return "-"
        share, spread = self.right / self.total, 1.96**2 / self.total
        middle = (share + spread / 2) / (1 + spread)
        reach = 1.96 * sqrt(share * (1 - share) / self.total + spread / self.total / 4) / (1 + spread)
        return f"{share:.3f} ({self.right} of {self.total}; {middle - reach:.3f} to {min(middle + reach, 1):.3f})"


def left_out(samples: Sequence[Sample], others: Sequence[Sample], seed: int, temperature: float) -> list[Told]:
    """Tell every capture by a model that has seen three others of the same unit."""
    told = []
    for fold in range(FOLDS):
        out = {places[fold] for places in corpus.units(samples).values() if fold < len(places)}
        kept = [sample for place, sample in enumerate(samples) if place not in out]
        model = fitting.model_of([*kept, *others], seed, temperature)
        told += tell(model, [samples[place] for place in sorted(out)])
    return told


def splits(samples: Sequence[Sample], others: Sequence[Sample], seed: int, temperature: float) -> Iterator[list[Told]]:
    """Halve each unit's captures by chance, again and again: two are learnt, two are told."""
    chance = random.Random(seed)
    for _ in range(SPLITS):
        learnt: set[int] = set()
        for places in corpus.units(samples).values():
            learnt.update(chance.sample(places, len(places) // 2))
        kept = [sample for place, sample in enumerate(samples) if place in learnt]
        model = fitting.model_of([*kept, *others], seed, temperature)
        yield tell(model, [sample for place, sample in enumerate(samples) if place not in learnt])


def other_units(samples: Sequence[Sample], others: Sequence[Sample], seed: int, temperature: float) -> list[Told]:
    """Tell each unit of a product by a model that has only seen another unit of it."""
    owners: dict[str, set[str]] = {}
    for sample in samples:
        owners.setdefault(sample.label, set()).add(sample.unit)
    told = []
    for unit in sorted(unit for held in owners.values() if len(held) > 1 for unit in held):
        kept = [sample for sample in samples if sample.unit != unit]
        model = fitting.model_of([*kept, *others], seed, temperature)
        told += tell(model, [sample for sample in samples if sample.unit == unit])
    return told


def other_products(samples: Sequence[Sample], others: Sequence[Sample], seed: int, temperature: float) -> list[Told]:
    """Tell each product by a model that has never seen it."""
    told = []
    for label in sorted({sample.label for sample in samples}):
        kept = [sample for sample in samples if sample.label != label]
        model = fitting.model_of([*kept, *others], seed, temperature)
        told += tell(model, [sample for sample in samples if sample.label == label])
    return told


def tell(model: Model, samples: Sequence[Sample], *, with_maker: bool = False) -> list[Told]:
    """Give the opinions; with the maker of the MAC address only on request."""
    knowledge = Knowledge(shipped_rules(), model, manufacturer)
    return [
        Told(sample, opinion(knowledge, sample.signs, manufacturer(sample.mac) if with_maker else ""))
        for sample in samples
    ]


def product_score(told: Sequence[Told]) -> Score:
    """Count the products named right."""
    return Score(sum(each.said.product == each.sample.label for each in told), len(told))


def type_score(told: Sequence[Told]) -> Score:
    """Count the types said right."""
    table = corpus.products()
    return Score(sum(each.said.type == table[each.sample.label].type for each in told), len(told))


def family_score(told: Sequence[Told]) -> Score:
    """Count the families said right."""
    table = corpus.products()
    return Score(sum(each.said.family == table[each.sample.label].family for each in told), len(told))


def reliability(told: Sequence[Told]) -> tuple[float, float]:
    """Give Brier's score of the product named (0 is best) and the expected calibration error in ten bins."""
    said = np.array([each.said.product_probability for each in told])
    is_right = np.array([each.said.product == each.sample.label for each in told], dtype=float)
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    error = sum(abs(said[bins == b].mean() - is_right[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins))
    return float(((said - is_right) ** 2).mean()), float(error)


def evaluate(data: Path, seed: int, temperature: float) -> None:
    """Print everything as Markdown."""
    samples, moved = corpus.labelled(data), corpus.labelled(data, seed=seed)
    others = corpus.background(data)
    print(f"{len(samples)} captures, {len(corpus.units(samples))} units, {len(others)} background devices.\n")
    print(f"Found: {Score(sum(sample.is_found for sample in samples), len(samples))}; with another MAC address in each")
    print(f"capture {Score(sum(sample.is_found for sample in moved), len(moved))}.")
    print(f"Captures whose signs change with the MAC address: {_changed(samples, moved)}.\n")
    out = left_out(moved, others, seed, temperature)
    _table("MAC addresses randomised, each capture left out once", out)
    halves = list(splits(moved, others, seed, temperature))
    shares = sorted(product_score(half).right / len(half) for half in halves)
    print(f"Two captures of each unit learnt, two told, {SPLITS} times: product {np.mean(shares):.3f}")
    print(f"(95 % of the splits from {shares[0]:.3f} to {shares[-1]:.3f}).\n")
    with_maker = _with_maker(samples, out)
    print(f"With the maker of the true MAC address beside: type {type_score(with_maker)}.\n")
    _table("Another unit of the product learnt", other_units(moved, others, seed, temperature))
    _table("The product never seen", other_products(moved, others, seed, temperature))
    _confusion(out)
    _background(others, samples, seed, temperature)


def _with_maker(samples: Sequence[Sample], told: Sequence[Told]) -> list[Told]:
    """Ask the rules alone with the maker's name, where the model was not sure of the product."""
    macs = {sample.capture: sample.mac for sample in samples}
    knowledge = Knowledge(shipped_rules(), None, manufacturer)
    return [
        each
        if each.said.product
        else Told(each.sample, opinion(knowledge, each.sample.signs, manufacturer(macs[each.sample.capture])))
        for each in told
    ]


def _changed(samples: Sequence[Sample], moved: Sequence[Sample]) -> int:
    return sum(set(one.signs) != set(other.signs) for one, other in zip(samples, moved, strict=True))


def _table(title: str, told: Sequence[Told]) -> None:
    brier, error = reliability(told)
    print(f"### {title}\n")
    print("| | right (of; 95 % interval) |\n|---|---|")
    print(f"| product | {product_score(told)} |")
    print(f"| family | {family_score(told)} |")
    print(f"| type | {type_score(told)} |")
    print(f"| Brier score, calibration error of the product | {brier:.3f}, {error:.3f} |\n")


def _confusion(told: Sequence[Told]) -> None:
    """Print what was taken for what: types as a matrix, products where they differ."""
    table = corpus.products()
    pairs = Counter((table[each.sample.label].type, each.said.type) for each in told)
    names = sorted({name for pair in pairs for name in pair})
    print("### Types: rows as they are, columns as told\n")
    print(f"| | {' | '.join(names)} |\n|---|{'---:|' * len(names)}")
    for row in sorted({pair[0] for pair in pairs}):
        print(f"| {row} | {' | '.join(str(pairs[row, name] or '') for name in names)} |")
    print("\n### Products told wrong\n")
    wrong = Counter(
        (each.sample.label, each.said.product or f"none ({each.said.family or each.said.type})")
        for each in told
        if each.said.product != each.sample.label
    )
    for (label, said), count in sorted(wrong.items()):
        print(f"- {label} as {said}: {count}")
    print()


def _background(others: Sequence[Sample], samples: Sequence[Sample], seed: int, temperature: float) -> None:
    """Count the devices of the background that are taken for a product, by a model that has not seen their suite."""
    groups = sorted({sample.capture.split("/")[1] for sample in others})
    taken, total = 0, 0
    for group in groups:
        kept = [sample for sample in others if sample.capture.split("/")[1] != group]
        model = fitting.model_of([*samples, *kept], seed, temperature)
        out = [sample for sample in others if sample.capture.split("/")[1] == group]
        taken += sum(each.said.product != OTHER for each in tell(model, out))
        total += len(out)
    print(f"Devices of the background taken for a product, each suite left out once: {Score(taken, total)}.")
