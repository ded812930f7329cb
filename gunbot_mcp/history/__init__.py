"""The local mirror of Gunbot's order history: what it holds, how it is filled, and how it is read."""
