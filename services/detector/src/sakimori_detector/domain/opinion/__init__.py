"""The learned second opinion on web payloads: n-grams, a model over them, the parts of a request it is asked about."""
