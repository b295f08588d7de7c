"""How many rounds and how much time clearings take."""
