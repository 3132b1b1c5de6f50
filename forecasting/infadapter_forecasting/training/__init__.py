"""
Training of forecasters, the only place that needs torch: arrays of per-second rates in, methods
out.

The shipped network is `train_quantile_network(training_traces(900, 1) + varied_loads(2_100, 1))`,
with the simulator's `training_traces`; that takes five minutes on one core.
"""
