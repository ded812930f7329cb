"""How a human is told that something waits, and what became of it."""
