"""How a federate lives: start, link, clock, signs of life, end."""
