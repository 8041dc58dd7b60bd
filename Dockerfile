# The workflow in a container, on the packages of envs/constraints.txt (docs/clusters.md).
#   docker build --tag dpeformer .                                          # with CUDA
#   docker build --tag dpeformer --build-arg TORCH_INDEX=<index of PyTorch's CPU wheels> .
FROM python:3.11.7-slim-bookworm

ARG TORCH_INDEX=""

ENV PYTHONUNBUFFERED=1 \
    MLFLOW_DISABLE_TELEMETRY=true \
    DO_NOT_TRACK=true \
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false

WORKDIR /opt/dpeformer

# before the code, which changes more often
COPY pyproject.toml README.md LICENSE ./
COPY envs envs
RUN mkdir pipeline && touch pipeline/__init__.py \
    && pip install --no-cache-dir --constraint envs/constraints.txt \
    ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} --editable '.[onnx]' \
    && useradd --create-home --uid 1000 reid

COPY . .

USER 1000
WORKDIR /work
ENTRYPOINT ["snakemake", "--snakefile", "/opt/dpeformer/Snakefile"]
CMD ["--cores", "all"]
