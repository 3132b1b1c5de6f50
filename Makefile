# `make help` prints the lines that carry a double hash.
VENV ?= .venv
PYTHON ?= python3
# A package index with CPU builds of torch: saves several GB of GPU libraries where the default index has them.
TORCH_INDEX ?=
# Of the tests. One more than there are cores: what a test starts is waited for.
WORKERS ?= 3
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test test-processes e2e check check-style check-types check-imports check-generated bench ladder crds proto image clean

help:  ## show this help
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP)  ## make .venv with everything pinned in constraints.txt

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet -c constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	$(BIN)/python -m pip install --quiet -c constraints.txt --group dev -e '.[operator,server,onnx,tracing,local,simulator,forecast]'
	touch $(STAMP)

demo: install  ## calibrate, replay a trace through a real router, adapt, report (about seven minutes)
	$(BIN)/infadapter demo

# Bytecode is kept whatever the environment says: without it, half of the time before the first test is compiling.
test test-processes: export PYTHONDONTWRITEBYTECODE =
test: install  ## the tests that need Python alone
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal --ignore tests/e2e -m "not cluster and not process"

test-processes: install  ## those that start real servers, kill them, train, or measure by the clock
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal --ignore tests/e2e -m "process and not cluster"

e2e: install  ## the tests on the cluster that KUBECONFIG names
	$(BIN)/pytest -q -m cluster -n 2 --dist loadscope --durations=10 tests/e2e

check: check-style check-types check-imports check-generated  ## format, lint, types, import rules, generated files (-j2: side by side)

check-style: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

check-types: install
	$(BIN)/mypy

check-imports: install
	$(BIN)/lint-imports

check-generated: install
	$(BIN)/python -m infadapter_operator.api.schema --check manifests/crds helm/infadapter/files/crds
	$(BIN)/python -m infadapter_operator.api.reference --check docs/api.md
	$(BIN)/python helm/dashboard.py --check

bench: install  ## the benchmarks, each beside what a user would use instead (about five minutes)
	$(BIN)/python -m benchmarks.solver
	$(BIN)/python benchmarks/server_vs_bare.py
	$(BIN)/python benchmarks/loadgen_precision.py

ladder: install  ## train the demo's five networks again and measure them (an hour or two on two cores)
	$(BIN)/python -m infadapter_server.networks.training --force

crds: install  ## write the CRDs, docs/api.md and the dashboard again from their one source
	$(BIN)/python -m infadapter_operator.api.schema manifests/crds helm/infadapter/files/crds
	$(BIN)/python -m infadapter_operator.api.reference docs/api.md
	$(BIN)/python helm/dashboard.py

proto: install  ## make the modules *_pb2 from their .proto
	$(BIN)/python -m grpc_tools.protoc -I model_variants --python_out=model_variants --pyi_out=model_variants \
	  infadapter_server/executors/remote/worker.proto infadapter_server/serving/grpc/inference.proto

image:  ## build the two container images
	docker build -f images/operator.Dockerfile -t infadapter/operator:0.1.0 .
	docker build -f images/server.Dockerfile --build-arg TORCH_INDEX=$(TORCH_INDEX) -t infadapter/server:0.1.0 .

clean:  ## remove the virtual environment and what was generated
	rm -rf $(VENV) dist demo-report demo-runs demo-trace .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
