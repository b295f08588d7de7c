"""The same markets stated centrally, sharing no statement with the models that they check."""
