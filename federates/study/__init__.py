"""What a user writes: scenario, HELICS files, owners and series of one study."""
