"""Check a study, start it, watch it, end it."""
