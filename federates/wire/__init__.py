"""How agents of the market talk through HELICS endpoints."""
