"""Rough durations of operations, which the loop uses to compare transitions."""

START_S = 2.0
"""Seconds that a start takes besides the load time of the model."""

RESIZE_S = 1.0
"""Seconds until a resize is in force."""
