"""What is done again and again, by a clock that somebody may set."""


def is_due(done_at_s: float, every_s: float, now_s: float) -> bool:
    """Also when the clock was set back: what was done at a time to come may lie far back."""
    return not done_at_s <= now_s < done_at_s + every_s
