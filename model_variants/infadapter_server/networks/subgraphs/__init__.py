"""A SuperNet whose SubNets take their weights from packed copies of a SubGraph, on CPU."""
