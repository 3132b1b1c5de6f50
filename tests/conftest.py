"""What all tests share."""

import signal

# A shell that starts its jobs in the background has them ignore Ctrl-C, and children inherit that;
# those that are started here are interrupted by the tests.
signal.signal(signal.SIGINT, signal.default_int_handler)
