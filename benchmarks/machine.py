"""What figures were measured on, to be printed above them."""

import os
import platform
from importlib.metadata import version
from pathlib import Path


def machine(*packages: str) -> str:
    """With the versions of the packages that do the work, and how busy it was."""
    info = Path("/proc/cpuinfo")
    names = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(": ")[1] for line in names if line.startswith("model name")), "")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    versions = [f"Python {platform.python_version()}", *(f"{p} {version(p)}" for p in packages)]
    cores = f"{os.cpu_count()} cores, load {load}"
    return f"{model or platform.machine()}, {cores}; {', '.join(versions)}"
