"""The model of any circuit: Kirchhoff's current law at every node, differentiated at the AC state."""
