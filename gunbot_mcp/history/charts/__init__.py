"""Charts of the order history: exact series from the view `orders`, one description, and its pictures."""
