"""Test retail electricity markets (d-LMPs) against unbalanced AC physics, in a HELICS co-simulation.

Everything that is installed goes under this one name. The packages themselves lie at the top of the
repository; here are links to them, so that builds, editors and type checkers need to be told nothing.
"""
