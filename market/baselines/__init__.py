"""What a market is held against: no market, and a uniform price."""
