"""What a pod can do: sizes, quantities, profiles, capacity and latency at an SLO. Pure."""
