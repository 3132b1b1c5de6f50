"""
A server process whose model has operating points that only sleep; it needs no torch.

`python points_server.py N [PORT]` prints its port. Of the points p1 to pN, the n-th takes n
milliseconds and has the accuracy 0.5 + n / 100.
"""

import sys
import time

from infadapter_scheduler import Point
from infadapter_server.executors.thread import ThreadExecutor
from infadapter_server.networks.signatures import Floats, Signature
from infadapter_server.networks.stored import Format, Stored
from infadapter_server.serving.assembly import always
from infadapter_server.serving.deadlines import Deadlines
from infadapter_server.serving.driver import Driver
from infadapter_server.serving.identity import Identity
from infadapter_server.serving.inference import Inference, Limits
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.serve import listen, run


class Patient:
    weights_bytes = 0

    def __init__(self, many: int) -> None:
        self.points = tuple(Point(f"p{n}", 0.5 + n / 100, {}) for n in range(1, many + 1))

    def run(self, batch: Floats, point: str) -> Floats:
        time.sleep(int(point[1:]) / 1000)
        return batch

    def use_threads(self, threads: int) -> None:
        pass


def main() -> int:
    many = int(sys.argv[1])
    signature = Signature(input_shape=(2,), output_shape=(2,))
    stored = Stored(name="times", version="1", format=Format.VARIANT, signature=signature)
    metrics = ServerMetrics("times")
    executor = ThreadExecutor("executor", lambda _: Patient(many))
    inference = Inference(
        variant="times",
        models={"times": Identity(variant="times", model="times", signature=signature)},
        limits=Limits(batch=1, deadlines=Deadlines(longest_s=10)),
        driver=Driver(always(stored), [executor], metrics),
        metrics=metrics,
    )
    listener = listen("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(listener.getsockname()[1], flush=True)
    return 0 if run(inference, listener, drain_s=0, thread_limit=lambda: 1) else 1


if __name__ == "__main__":
    sys.exit(main())
