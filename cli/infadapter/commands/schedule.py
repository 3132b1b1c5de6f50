"""`infadapter schedule`: what runs next in a pod, and who is refused."""

import click

from infadapter.commands.schedule_replay import replay


@click.group("schedule", context_settings={"max_content_width": 100})
def schedule() -> None:
    """Ask the scheduler of a pod, without a pod.

    \b
    Example:
      infadapter schedule replay --table models.csv --arrivals requests.csv --out answers.csv
    """


schedule.add_command(replay)
