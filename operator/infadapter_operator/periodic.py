"""Periodic work that stays correct when the clock is set back."""


def is_due(done_at_s: float, every_s: float, now_s: float) -> bool:
    """
    Whether `every_s` has passed since `done_at_s`, or `done_at_s` is in the future (the clock was
    set back).
    """
    return not done_at_s <= now_s < done_at_s + every_s
