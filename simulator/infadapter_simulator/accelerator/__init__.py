"""An accelerator that keeps a SubGraph's weights on the chip, *simulated*, after SushiAccel."""
