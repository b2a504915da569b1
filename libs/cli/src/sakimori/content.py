"""Where the detection content is."""

import os
from pathlib import Path


def rules_dir() -> Path:
    """Find the rules: DETECTOR_RULES_DIR, else the checkout's own `rules`, wherever one starts from (S0-17)."""
    given = os.environ.get("DETECTOR_RULES_DIR")
    if given:
        return Path(given)
    for folder in Path(__file__).resolve().parents:
        if (folder / "rules" / "README.md").is_file():
            return folder / "rules"
    return Path("rules")
