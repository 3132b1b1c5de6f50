"""The Open Inference Protocol over gRPC, on the same inference route as REST."""
