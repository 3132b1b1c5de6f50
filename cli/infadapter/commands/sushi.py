"""`infadapter sushi`: which SubNet serves a query, and which SubGraph is cached."""

import click

from infadapter.commands.sushi_replay import replay


@click.group("sushi", context_settings={"max_content_width": 100})
def sushi() -> None:
    """Choose a SubNet for each query and a SubGraph to cache, after SUSHI (MLSys'23).

    \b
    Example:
      infadapter sushi replay --scenario s.json --queries q.csv --out o.csv
    """


sushi.add_command(replay)
