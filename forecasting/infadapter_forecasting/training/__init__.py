"""
Training: the one place that needs torch. Arrays of per-second rates in, methods out.

The shipped network is `train_quantile_network(training_traces(900, 1) + varied_loads(2_100, 1))`,
with the `training_traces` of the simulator; that takes five minutes on one core.
"""
