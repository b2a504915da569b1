"""Bots: programs that speak in the rooms.

Laid out as the service is, because it could be one: how bots are told apart and proved (`domain`), the one door they
come in by (`intake`) whatever carries them (`api`, `inputs`), those that stay connected (`sessions`), who lets them in
(`office`). It uses the rooms and the hub of the chat; of the chat only `wiring` knows it.
"""
