"""The clearing: pure numbers, no co-simulation."""
