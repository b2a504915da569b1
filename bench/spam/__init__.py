"""Training of the chat's spam score, and what the checks of messages are worth: `python -m bench.spam`."""
