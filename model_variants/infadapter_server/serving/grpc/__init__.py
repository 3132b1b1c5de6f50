"""The Open Inference Protocol over gRPC, answered by what answers REST."""
