"""Bots: who they are, how they prove it, how much they may do, and the frames that they speak in."""
