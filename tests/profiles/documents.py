"""A valid profile document; a test changes only what matters to it."""

from dataclasses import replace

from infadapter_profiles.document import ProfileDocument
from infadapter_profiles.profile import OperatingPoint, Point, Profile, ProfiledAllocation
from infadapter_profiles.sizes import PodSize

SIZE = PodSize(resources={"cpu": 500})
POINT = Point(rps=5.25, latency_s={50.0: 0.2105, 99.9: 0.32}, refused_ratio=0.01)
HALF = ProfiledAllocation(size=SIZE, saturation_rps=18, points=(POINT,))
DOCUMENT = ProfileDocument(
    profile=Profile(variant="resnet18", accuracy=0.7613, load_time_s=1e-3, allocations=(HALF,)),
    machine="2 x CPU",
)
WITH_POINTS = Profile(
    variant="resnet18",
    accuracy=0.8,
    load_time_s=1.0,
    operating_points=(
        OperatingPoint(name="deep", accuracy=0.8),
        OperatingPoint(name="shallow", accuracy=0.7),
    ),
    allocations=(
        replace(HALF, operating_point="deep"),
        replace(HALF, operating_point="shallow"),
    ),
)
