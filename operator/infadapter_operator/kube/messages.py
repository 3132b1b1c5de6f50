"""
Shorten and stabilise the platform's messages. Parts that differ between attempts (a pod's name, an
id, a back-off) would otherwise cause a status write each time.
"""

import re

MAX_MESSAGE_CHARS = 256

_UNSTABLE = (
    (re.compile(r'^pods "[^"]*" is '), "pods are "),  # a new name each
    (re.compile(r"^back-?off \S+ (?=restarting|pulling)", re.IGNORECASE), ""),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "…"),  # a uid
    (re.compile(r"(?<!sha256:)\b[0-9a-f]{64}\b"), "…"),  # a container's id; a digest stays
    (re.compile(r"(?<=\d):\d+->"), "->"),  # the near end of a connection
    (re.compile(r", used: .*?(?=, limited:|$)"), ""),  # of a quota, by whoever else is there
)
_PULLING = re.compile(r'^Back-off pulling image "[^"]*": (?:[A-Z][A-Za-z]+: )?')
_NODES = re.compile(r"^\d+/\d+ nodes are available: (?P<why>.*?)\.?(?: preemption: .*)?$")


def stable(message: str, pod: str = "") -> str:
    """Return the stable message; `pod` is the name of the pod that it concerns."""
    words = " ".join(message.split())
    if pod:
        words = words.replace(pod, "…")
    for changing, steady in _UNSTABLE:
        words = changing.sub(steady, words)
    return words if len(words) <= MAX_MESSAGE_CHARS else f"{words[: MAX_MESSAGE_CHARS - 1]}…"


def of_image(message: str, pod: str = "") -> str:
    """
    Return the stable message of an image error, without the prefix that the kubelet adds during
    back-off.
    """
    return stable(_PULLING.sub("", " ".join(message.split())), pod)


def of_scheduler(message: str) -> str:
    """Return why no node fits, without the number of nodes per reason."""
    words = " ".join(message.split())
    found = _NODES.match(words)
    if found is None:
        return stable(words)
    reasons = {re.sub(r"^\d+ ", "", reason) for reason in found["why"].split(", ")}
    return stable(f"no node is available: {', '.join(sorted(reasons))}")
