"""A worker with models that need no torch, as a process: `python -m … PORT [SLOWNESS]`."""

import sys

from infadapter_server.executors.remote.disk import Disk
from infadapter_server.executors.remote.service import Service, serve
from infadapter_server.executors.remote.worker import Worker
from tests.model_variants.fake_models import open_fake

if __name__ == "__main__":
    worker = Worker(open_fake)
    server, port = serve(Service("worker-0", worker, Disk(None)), "127.0.0.1", int(sys.argv[1]))
    print(port, flush=True)
    worker.run()
