"""What feeders share at a substation: limits on their sum, and the price adder at which they are held."""
