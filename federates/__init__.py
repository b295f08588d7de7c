"""The federates of a study, the contract between them and the life cycle that they share."""
