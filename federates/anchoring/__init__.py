"""The loop between market and physics within an interval."""
