"""What prices turn into: settlement, retail tariffs and payment schemes."""
