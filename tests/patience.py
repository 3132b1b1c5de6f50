"""
How long the tests wait for what has to come. Where it comes, nothing depends on it: a machine that
stands still for seconds, or is as slow as ten, changes no outcome.
"""

PATIENCE_S = 200.0
"""Below pytest's timeout, which would not say what was waited for."""
