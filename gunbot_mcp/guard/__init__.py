"""The guard: everything between a model's wish and an order that is sent."""
