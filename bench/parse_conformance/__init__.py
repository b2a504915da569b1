"""Agreement of the parsers with what other tools' own tests say of real lines."""
