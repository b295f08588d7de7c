"""The contract for others: conformance of federates, schemas, the contract's page."""
