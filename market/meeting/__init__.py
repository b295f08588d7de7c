"""How agents in parts negotiate a clearing: who is handed what, how words travel, and who gets lost."""
