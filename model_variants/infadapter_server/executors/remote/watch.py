"""What a worker monitors besides its work: its pod's CPU quota, and whether it is stuck."""

import logging
import os
import time

from infadapter_server.executors.messages import UseThreads
from infadapter_server.executors.remote.worker import Worker
from infadapter_server.serving.quota import thread_limit

WATCH_PERIOD_S = 1.0
_log = logging.getLogger(__name__)


def watch(worker: Worker, *, follow_quota: bool, stuck_s: float) -> None:
    """Adjust threads when the pod is resized in place, and end the process if it is stuck."""
    used = thread_limit()
    while True:
        time.sleep(min(WATCH_PERIOD_S, stuck_s / 2))
        if worker.busy_s() > stuck_s:
            _log.error("An order has not ended for %g s: a new process has to help.", stuck_s)
            os._exit(1)
        if follow_quota and (threads := thread_limit()) != used:
            _log.info("the CPU quota changed: %d threads from now on", threads)
            worker.submit(UseThreads(threads))
            used = threads
