"""Intelligence: what others know to be bad, read from feeds and lists, and asking whether an event has some of it."""
