"""How long the loop takes things to need when it weighs one way against another; all roughly."""

START_S = 2.0
"""A start, beside the load time of what starts."""

RESIZE_S = 1.0
"""A resize, until it is in force."""
