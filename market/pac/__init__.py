"""Proximal Atomic Coordination: agents that negotiate by messages between neighbours."""
