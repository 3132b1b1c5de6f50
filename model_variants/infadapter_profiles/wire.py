"""
Wire names: headers, paths, metrics and buckets that one program writes and another one reads.

They are defined once here, because no type checker sees a name that two rooms spell. Names that
only one room uses (the operator's own metrics, the command lines) stay in that room. Users'
dashboards and clients depend on these names, so they do not change.
"""

# --- HTTP between clients, routers and servers -------------------------------------------------

VARIANT_HEADER = "infadapter-variant"
"""Response header: the variant that answered. Servers write; load generators and people read."""

RETRY_AFTER_HEADER = "retry-after"
"""Header of a refusal. Servers write it, routers if they reach no server; clients read."""

RETRY_AFTER_S = 1
"""Minimum retry-after (whole s), and the router's: time in which a usual queue drains."""

DEADLINE_HEADER = "infadapter-deadline-ms"
"""
Request header: the deadline, in milliseconds from arrival. Routers set it to their service's SLO
unless the client has set a shorter one; servers obey.
"""

FLOOR_HEADER = "infadapter-accuracy-floor"
"""
Request header: the minimum accuracy, as a fraction, of the operating points that may answer.
Clients write it, and routers add their service's; servers obey the highest.
"""

REFUSED_STATUS = 503
"""Status of a refusal. Servers and routers write it; the operator counts these as missed."""

MAX_BATCH_VARIABLE = "INFADAPTER_MAX_BATCH"
"""
Environment variable of a server: its batch limit, unless `--max-batch` is given. Pod templates take
it from the annotation that holds the operator's planned batch size.
"""

READY_PATH = "/v2/health/ready"
"""Answers 200 while the server is ready. Probes, the profiler and the local platform poll it."""

METRICS_PATH = "/metrics"
"""Path of a server's metrics. Prometheus and the profiler scrape it."""

MODELS_PATH = "/v2/models"
"""Followed by /NAME/infer. Servers answer under it; gateways route by it."""

# --- metrics that the server writes, each labelled by variant ----------------------------------

SERVER_ARRIVALS = "infadapter_server_arrivals_total"
"""Inference requests as they arrive, refused ones too. The operator reads: load and delivered."""

SERVER_REQUESTS = "infadapter_server_requests_total"
"""Inference requests by the status `code` of their answer. The operator reads: refused."""

SERVER_LATENCY = "infadapter_server_latency_seconds"
"""Histogram, seconds from arrival to an answer with 200. The operator reads: late."""

SERVER_INFERENCE = "infadapter_server_inference_seconds"
"""Histogram, seconds in the network alone. People read."""

SERVER_LOAD_TIME = "infadapter_server_load_seconds"
"""Gauge, seconds to load and warm up the network; 0 until that is done. The profiler reads."""

SERVER_IN_FLIGHT = "infadapter_server_in_flight"
"""Gauge, requests that wait or run. People read."""

SERVER_THREADS = "infadapter_server_threads"
"""Gauge, threads of one inference. People read."""

SERVER_READY = "infadapter_server_ready"
"""Gauge, 1 while the server is ready for requests, else 0. People read."""

SERVER_ADMITTED = "infadapter_server_admitted_total"
"""Inference requests that admission accepted. People read this and the metrics below."""

SERVER_REFUSED = "infadapter_server_refused_total"
"""Refused inference requests, by `reason`: the scheduler's reasons and the HTTP front's."""

SERVER_OUTCOMES = "infadapter_server_outcomes_total"
"""
Admitted requests by `outcome`: on_time, late (no result at the deadline), cancelled (answered so
before the deadline), failed, gone.
"""

SERVER_POINTS = "infadapter_server_points_total"
"""Answered requests, by the operating `point` that answered. People read."""

SERVER_ACCURACY = "infadapter_server_accuracy"
"""Summary, profiled accuracies of the answers' points: sum / count is the delivered accuracy."""

SERVER_REFUSAL_AGE = "infadapter_server_refusal_age_seconds"
"""Histogram, seconds from arrival to a refusal."""

SERVER_QUEUE = "infadapter_server_queue_seconds"
"""Histogram, seconds from arrival to the start of the batch that holds a request's last image."""

SERVER_ESTIMATE_ERROR = "infadapter_server_estimate_error_seconds"
"""Histogram, seconds by which executions missed their estimate, by `direction`: over and under."""

SERVER_BATCH = "infadapter_server_batch_images"
"""Histogram, images in one execution. The profiler reads."""

SERVER_EXECUTIONS_FAILED = "infadapter_server_executions_failed_total"
"""Executions in which the network raised an error."""

SERVER_FAILING = "infadapter_server_failing"
"""Gauge, 1 while the network fails for every batch: the server is then not live."""

SERVER_STUCK = "infadapter_server_stuck_executors"
"""Gauge, executors whose execution doesn't return: the server is then not live."""

SERVER_EXECUTORS = "infadapter_server_executors"
SERVER_EXECUTORS_LOST = "infadapter_server_executors_lost_total"

SERVER_RESIDENT_MODELS = "infadapter_server_resident_models"
"""Gauge, models whose weights are in an executor's memory."""

SERVER_RESIDENT_BYTES = "infadapter_server_resident_bytes"
"""Gauge, bytes of their weights."""

SERVER_LOADS = "infadapter_server_loads_total"
"""Loads of weights that were completed."""

SERVER_EVICTIONS = "infadapter_server_evictions_total"
"""Unloads of weights to free memory for other models."""

SERVER_HELD = "infadapter_server_held_bytes"
"""Gauge, bytes of request bodies being read and of queued tensors."""

SERVER_CONNECTIONS = "infadapter_server_connections"
"""Gauge, open connections."""

LATENCY_BOUNDS_S = (
    *(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075),
    *(0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0),
)
"""
Upper bounds, in seconds, of the buckets of both histograms; the operator asks for the bucket that
holds the SLO. They range from 1 ms, the latency of the smallest networks, to 10 s, when no
client still waits, and are densest between 10 and 750 ms, where SLOs lie (the paper's is 750 ms).
"""

# --- metrics that the router, Envoy, writes ----------------------------------------------------

ROUTER_ARRIVALS = "envoy_http_downstream_rq_total"
"""Requests on arrival, refused ones included. The operator and the dashboard read."""

ROUTER_ANSWERS = "envoy_http_downstream_rq_xx"
"""Answers by ROUTER_CODE_CLASS. The operator and the dashboard read."""

ROUTER_CODE_CLASS = "envoy_response_code_class"
"""A label; its value is the first digit of the status, such as 2."""

ROUTER_LATENCY = "envoy_http_downstream_rq_time"
"""Histogram, milliseconds, with a bound at the SLO. The operator and the dashboard read."""

ROUTER_SERVICE = "envoy_http_conn_manager_prefix"
"""A label of all of these; its value is the service key, "namespace/name"."""
