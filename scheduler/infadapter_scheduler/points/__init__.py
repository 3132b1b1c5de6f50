"""Operating points: accuracy and cost are chosen for each batch when it is sent."""

from infadapter_profiles.points import Point
from infadapter_scheduler.points.policy import Choice, PointPolicy, Situation, Timed

__all__ = ["Choice", "Point", "PointPolicy", "Situation", "Timed"]
