"""
A pod that starts beside others in its CPU quota, and is then alone: does it serve what it can?

\b
    python -m benchmarks.disturbed_start
    python -m benchmarks.disturbed_start --beside 0

What computes beside it while it loads and warms up are busy loops in the same control group. The
warm-up is then far too long, and the quota's share is counted on top; afterwards a few requests a
second come, of which the pod could serve each. Needs control groups that can be written to.
"""

import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

import click

from benchmarks.columns import show_row
from benchmarks.machine import machine
from infadapter_local.cgroups import Cores, cpu_limits, launch_command

COUNTED = re.compile(r"infadapter_server_(?:outcomes|refused)_total\{.*?=\"(\w+)\".*\} (\S+)")
BUSY = [sys.executable, "-c", "while True: pass"]


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        content: bytes = answer.read()
    return content.decode()


def wait_until_ready(url: str, server: subprocess.Popen[str]) -> None:
    while server.poll() is None:
        try:
            get(f"{url}/v2/health/ready")
            return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
    raise click.ClickException("the server has ended before it was ready; it says why above")


def counted(url: str) -> dict[str, float]:
    """Requests by what became of them, or why they were refused."""
    found = COUNTED.findall(get(f"{url}/metrics"))
    return {what: float(value) for what, value in found if float(value)}


@click.command(help=__doc__)
@click.option("--variant", default="glyph-4", show_default=True)
@click.option("--quota", default=150, show_default=True, help="Millicores.")
@click.option("--slo-ms", default=400, show_default=True)
@click.option("--rps", default=4.5, show_default=True)
@click.option("--seconds", default=60, show_default=True)
@click.option("--beside", default=4, show_default=True, help="Busy loops until it is ready.")
def main(variant: str, quota: int, slo_ms: int, rps: float, seconds: int, beside: int) -> None:
    limits = cpu_limits()
    if isinstance(limits, Cores):
        raise click.ClickException("this machine has no control groups that can be written to")
    click.echo(machine("torch"))
    folder = str(limits.group(quota).folder)
    crowd = [subprocess.Popen(launch_command(BUSY, folder)) for _ in range(beside)]
    options = ["--variant", variant, "--model", "m", "--slo-ms", str(slo_ms)]
    command = [sys.executable, "-m", "infadapter_server", *options]
    command += ["--port", "0", "--host", "127.0.0.1", "--drain-seconds", "0"]
    server = subprocess.Popen(launch_command(command, folder), stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = "http://127.0.0.1:" + server.stdout.readline().rpartition(":")[2].strip()
        wait_until_ready(url, server)
        end(crowd)
        asked = ["--url", f"{url}/v2/models/m/infer", "--rps", str(rps), "--duration", str(seconds)]
        loadgen = [sys.executable, "-m", "infadapter_server.loadgen", *asked]
        subprocess.run(loadgen, check=True, stdout=subprocess.DEVNULL)
        for what, number in counted(url).items():
            show_row(what, f"{number:.0f}", first_width=14, width=8)
    finally:
        end(crowd)
        end([server])
        limits.remove_all()


def end(processes: list[subprocess.Popen[bytes]] | list[subprocess.Popen[str]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(20)


if __name__ == "__main__":
    main()
