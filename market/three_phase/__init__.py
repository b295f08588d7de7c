"""The per-phase branch-flow model anchored at the AC state."""
