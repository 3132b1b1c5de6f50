"""SLO-aware networks, after arXiv 2204.08400: a query computes only the nodes that it needs."""
