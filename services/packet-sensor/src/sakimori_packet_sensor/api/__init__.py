"""HTTP: captures are handed in here."""
