"""Studies and HELICS files, written for a user to go on with."""
