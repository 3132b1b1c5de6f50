"""An executor in a thread of this process: nothing is copied, the interpreter is shared."""

import threading

from infadapter_server.executors.messages import ExecutorLost, ExecutorReady, Order
from infadapter_server.executors.opening import Opener
from infadapter_server.executors.port import Tell
from infadapter_server.executors.priority import give_way
from infadapter_server.executors.runner import Runner


class ThreadExecutor:
    returns = False

    def __init__(self, name: str, open_model: Opener, threads: int = 1) -> None:
        self.name = name
        self._open, self._threads = open_model, threads

    def start(self, tell: Tell) -> None:
        self._tell = tell
        self._runner = Runner(self._open, tell, threads=self._threads)
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def submit(self, order: Order) -> None:
        self._runner.submit(order)

    def stop(self, within_s: float) -> bool:
        self._runner.end()
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def abandon(self) -> None:
        """Its current order can't be ended from here."""

    def _run(self) -> None:
        try:
            give_way()
            self._tell(ExecutorReady(shared_load=self._runner.shared_load))
            self._runner.run()
        finally:
            self._tell(ExecutorLost(f"The thread of {self.name} has ended."))
