"""`infadapter forecast`: how good forecasts are on a trace, and networks for one service."""

import click

from infadapter.commands.forecast_backtest import backtest
from infadapter.commands.forecast_train import train


@click.group("forecast", context_settings={"max_content_width": 100})
def forecast() -> None:
    """Backtest the ways to forecast a load, or train a network on a service's own history.

    \b
    Examples:
      infadapter forecast backtest --trace requests.csv
      infadapter forecast train --trace requests.csv --output own.npz
      infadapter forecast backtest --trace requests.csv --network own.npz
    """


forecast.add_command(backtest)
forecast.add_command(train)
