"""Whose datasets are whose."""

from typing import Final

OWN_DATASETS: Final = ("chat.", "gateway.", "sakimori.")
"""Only the services themselves know these: what comes from outside must not put words into their mouths."""
