"""The Open Inference Protocol's parts: datatypes, tensors, requested outputs, metadata, encodings.

None of them knows HTTP or gRPC: both fronts read requests and write answers by the same functions.
"""
