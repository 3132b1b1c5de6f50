"""OpenTelemetry spans of requests, queues, executions and batches, enabled by OTEL_* variables."""
