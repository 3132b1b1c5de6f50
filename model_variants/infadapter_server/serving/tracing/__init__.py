"""OpenTelemetry's spans of requests, queues, executions and batches, where OTEL_* asks for them."""
