"""What a run leaves behind: writing the results file while it goes, reading it afterwards."""
