"""Training of the device model, and how well devices are told: `python -m bench.devices`."""
