"""From nothing to a first run: example studies, the demo, what is installed."""
