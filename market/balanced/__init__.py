"""The balanced branch-flow model of the retail-market literature."""
