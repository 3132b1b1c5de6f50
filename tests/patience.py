"""
How long tests wait for an effect that has to occur. If it occurs, no outcome depends on this value,
nor on a machine that stalls for seconds or is ten times slower.
"""

PATIENCE_S = 200.0
"""Shorter than pytest's timeout, whose message would not say what was waited for."""
