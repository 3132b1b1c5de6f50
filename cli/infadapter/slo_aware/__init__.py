"""The evaluation of SLO-aware networks, on this machine."""
