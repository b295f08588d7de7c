"""OpenDSS, the AC engine: the only room that speaks its language."""
