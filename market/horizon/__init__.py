"""Clearing over a horizon: steps ahead, and the coupling in time that lives inside a resource."""
