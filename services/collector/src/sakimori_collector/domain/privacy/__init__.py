"""What must not be stored or published: secrets and personal data (S0-63, S1-09, X-05)."""

from sakimori_collector.domain.privacy.masker import CLASSES, SUBJECTS, Masker

__all__ = ["CLASSES", "SUBJECTS", "Masker", "mask_text"]

_everything = Masker()


def mask_text(text: str) -> str:
    """Mask all that the collector knows as secret or personal, whatever the settings; linear, any text, never fails."""
    return _everything.text(text)
