"""What every market model hands to every method: atoms, their rows and costs, and what a solution means."""
