"""A worker process with models that need no torch: `python -m … PORT`."""

import sys

from infadapter_server.executors.remote.disk import Disk
from infadapter_server.executors.remote.service import Service, listen, serve
from infadapter_server.executors.remote.worker import Worker
from tests.model_variants.fake_models import open_fake

if __name__ == "__main__":
    worker = Worker(open_fake)
    server, port = listen("127.0.0.1", int(sys.argv[1]))
    serve(server, Service("worker-0", worker, Disk(None)))
    print(port, flush=True)
    worker.run()
