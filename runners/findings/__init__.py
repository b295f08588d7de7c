"""What the sweeps that come with the project show: a table and a figure each."""
