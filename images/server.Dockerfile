# The model server, and the profiler of the Job beside a clone. Built and run as the operator's image is.
#   docker build -f images/server.Dockerfile --build-arg TORCH_INDEX=<an index with CPU builds> .
FROM python:3.11-slim
ARG TORCH_INDEX=
WORKDIR /app
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY solver solver
COPY forecasting forecasting
COPY scheduler scheduler
COPY operator operator
COPY model_variants model_variants
COPY local local
COPY simulator simulator
COPY cli cli
RUN pip install --no-cache-dir -c constraints.txt ${TORCH_INDEX:+--index-url $TORCH_INDEX} torch==2.13.0 \
 && pip install --no-cache-dir -c constraints.txt '.[server,profile,onnx,tracing]'
WORKDIR /
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["infadapter-server"]
