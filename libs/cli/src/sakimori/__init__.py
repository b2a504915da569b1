"""The sakimori command."""
