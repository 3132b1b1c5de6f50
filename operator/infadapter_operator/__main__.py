"""
Entry point of `python -m infadapter_operator`, light enough that an early Ctrl-C prints no
traceback.
"""

import os
import signal
import sys

_ABOUT = (
    "The operator. It has no options: environment variables INFADAPTER_… set it up"
    " (docs/operations.md#the-operators-process), a pod's service account or KUBECONFIG says"
    " which cluster is meant."
)


def main() -> int:
    """
    Return the exit status: 2 for unusable settings, 1 for a fault, 130 for Ctrl-C before it
    listens.
    """
    # Process 1 has no default action for SIGTERM: without a handler the kubelet would wait in vain.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        _only_help()
        print(
            "infadapter: the operator starts", file=sys.stderr, flush=True
        )  # imports take seconds
        from infadapter_operator.main import run

        return run()
    except KeyboardInterrupt:
        return 130


def _only_help() -> None:
    import argparse
    from importlib.metadata import version

    said = f"infadapter operator, version {version('infadapter')}"
    parser = argparse.ArgumentParser(prog="python -m infadapter_operator", description=_ABOUT)
    parser.add_argument("--version", action="version", version=said)
    parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
