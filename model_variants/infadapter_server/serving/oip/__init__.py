"""
The parts of the Open Inference Protocol: datatypes, tensors, requested outputs, metadata,
encodings.

Independent of HTTP and gRPC: both front ends parse requests and write answers with the same
functions.
"""
