"""What is computed from a history: sums, series of closes, lots over time, and the table of metrics made from them."""
