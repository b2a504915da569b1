"""The learned part: the model that ships, and how it does on captures that it has not seen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from packets.devices import KNOWLEDGE
from sakimori_packet_sensor.adapters.knowledge import DEVICE_MODEL, shipped_knowledge
from sakimori_packet_sensor.domain.devices.knowledge import Knowledge, opinion
from sakimori_packet_sensor.domain.devices.model import OTHER, Model, ModelError, Product

TINY = Model(
    version="1-test",
    products=(Product("A", "camera", "F"), Product("B", "camera", "F"), Product(OTHER, "unknown", "")),
    signs=("x:a", "x:b", "x:both"),
    weights=np.array([[3000, 0, 2500], [0, 3000, 2500], [-1000, -1000, -2500]], np.int16),
    step=0.001,
    biases=(0.0, 0.0, 1.0),
    temperature=1.0,
)


def said(*signs: str) -> tuple[str, str, str]:
    found = opinion(Knowledge(KNOWLEDGE.rules, TINY, KNOWLEDGE.manufacturer), signs, "")
    return found.product, found.family, found.type


def test_a_product_is_named_when_it_is_likely_enough_and_else_its_family() -> None:
    assert said("x:a", "x:both") == ("A", "F", "camera")
    assert said("x:both") == ("A", "F", "camera"), "one of two alike, at a probability of a half"
    assert TINY.guess(["x:both"]).probabilities[0] == pytest.approx(0.493, abs=0.01)
    assert said("x:unheard") == ("", "", "unknown"), "the model is not asked"


def test_an_opinion_tells_what_it_rests_on() -> None:
    found = opinion(Knowledge(KNOWLEDGE.rules, TINY, KNOWLEDGE.manufacturer), ["x:a", "x:both"], "")
    assert found.evidence[0] == "as A: x:a"


def test_a_model_is_written_and_read_as_the_same_bytes(tmp_path: Path) -> None:
    DEVICE_MODEL.write(tmp_path / "one.npz", TINY, {"seed": 1})
    DEVICE_MODEL.write(tmp_path / "two.npz", TINY, {"seed": 1})
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    again = DEVICE_MODEL.read(tmp_path / "one.npz")
    assert again.weights.tolist() == TINY.weights.tolist()
    assert replace(again, weights=TINY.weights) == TINY


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ModelError):
        replace(TINY, weights=TINY.weights[:, :2])


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x04N."])
def test_what_is_no_model_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"bad\.npz"):
        DEVICE_MODEL.read(path)


def test_the_model_that_ships_knows_the_twenty_seven_products_and_no_address() -> None:
    model = shipped_knowledge().model
    assert model is not None
    names = {product.name for product in model.products}
    assert len(names) == 28
    assert {"EdimaxPlug1101W", "TP-LinkPlugHS100", "iKettle2", "D-LinkHomeHub", OTHER} < names
    assert not {sign.partition(":")[0] for sign in model.signs} & {"maker", "mac", "ip"}


@pytest.mark.data
@pytest.mark.timeout(400)  # ten seconds, and minutes where the compiled part is not in the cache yet
def test_captures_left_out_are_told_by_the_signs_of_others(development_data: Path) -> None:
    from bench.devices import corpus, evaluation

    samples = corpus.labelled(development_data, seed=7)
    assert sum(sample.is_found for sample in samples) == len(samples), "every device is discovered"
    told = evaluation.left_out(samples, [], 7, 1.0)
    assert evaluation.product_score(told).right >= 0.95 * len(samples)
    assert evaluation.type_score(told).right >= 0.95 * len(samples)
