"""Two elastic networks: a small one that is trained, and a large one to measure memory with."""

from infadapter_server.networks.adaptive.signals import CLASSES
from infadapter_server.networks.adaptive.space import Space, Stage

__all__ = ["MNIST1D", "RESNET50"]

MNIST1D = Space(
    inputs=1,
    classes=CLASSES,
    stem=48,
    stem_kernel=(1, 5),
    stem_stride=(1, 1),
    kernels=((1, 3), (1, 3)),
    stages=(
        Stage(channels=48, inner=48, least=0, most=3, stride=(1, 2)),
        Stage(channels=96, inner=96, least=0, most=3, stride=(1, 2)),
    ),
    widths=(1 / 8, 1 / 4, 1 / 2, 1.0),
    streams=(1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0),
)

RESNET50 = Space(
    inputs=3,
    classes=1000,
    stem=64,
    stem_kernel=(7, 7),
    stem_stride=(2, 2),
    kernels=((1, 1), (3, 3), (1, 1)),
    stages=(
        Stage(channels=256, inner=88, least=2, most=4, stride=(1, 1)),
        Stage(channels=512, inner=176, least=2, most=4, stride=(2, 2)),
        Stage(channels=1024, inner=360, least=4, most=6, stride=(2, 2)),
        Stage(channels=2048, inner=720, least=2, most=4, stride=(2, 2)),
    ),
    widths=(0.2 / 0.35, 0.25 / 0.35, 1.0),
    streams=(0.65, 0.8, 1.0),
    multiple=8,
    pool=True,
)
"""
After OFA-ResNet50 (Cai et al., ICLR 2020): up to two blocks more a stage than 2, 2, 4, 2; inner
channels of 0.2, 0.25 or 0.35 of the stage's, stages of 0.65, 0.8 or 1 of ResNet-50's, in multiples
of eight. It is untrained, and serves to measure the cost of weights.
"""
