"""Training of the second opinion on web payloads, and what it is worth: `python -m bench.opinion`."""
