"""Whether somebody's federate honours the contract."""
