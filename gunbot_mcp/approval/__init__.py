"""How a human is heard: forms and the PIN."""
