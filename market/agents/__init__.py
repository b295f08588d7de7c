"""A problem in parts: what each agent holds of it, and what agents tell each other."""
