"""Ciphertext by its entropy (S3-15, S3-16)."""

import random
from collections import Counter
from math import log2

import pytest

from sakimori_packet_sensor.domain.randomness import expected, looks_random


def entropy(data: bytes) -> float:
    return -sum(count / len(data) * log2(count / len(data)) for count in Counter(data).values())


@pytest.mark.parametrize("size", [64, 100, 256, 1024, 2048])
def test_random_bytes_look_random_and_come_to_what_is_expected(size: int) -> None:
    source = random.Random(size)
    measured = [entropy(source.randbytes(size)) for _ in range(400)]
    mean, deviation = expected(size)
    assert abs(sum(measured) / len(measured) - mean) < 0.015
    assert all(looks_random(value, size) for value in measured)
    assert sum(abs(value - mean) > 2 * deviation for value in measured) < 40


@pytest.mark.parametrize("size", [256, 1024, 2048])
def test_text_base64_and_counters_do_not(size: int) -> None:
    source = random.Random(size)
    base64 = bytes(source.choices(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", k=size))
    text = (b"GET /index.html HTTP/1.1\r\nHost: www.example.com\r\nAccept: text/html\r\n" * 40)[:size]
    readings = b"".join(number.to_bytes(4, "big") for number in range(1000))[:size]
    for data in (base64, text, readings):
        assert not looks_random(entropy(data), size)


def test_the_ends_of_the_scale() -> None:
    assert expected(4096)[0] > 7.9
    assert 5.0 < expected(64)[0] < 6.0
    assert not looks_random(0.0, 64)
