"""The checks of what a message says. Each is pure, and switched on by room (RoomPolicy.checks)."""
