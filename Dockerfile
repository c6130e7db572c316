# rasd, with what Kafka and PostgreSQL need. Two stages: the wheel and its packages are put together in the first;
# the second holds Python, them, and nothing to build with. The base is pinned by its whole tag.
FROM python:3.12.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv /opt/rasd

# Packages first, by the names in pyproject.toml alone: they stay in the builder's cache while only our code changes.
# Wheels only: nothing is compiled, and no package runs code of its own here.
COPY pyproject.toml deploy/requirements.py ./
RUN python requirements.py kafka postgres > requirements.txt \
 && /opt/rasd/bin/pip install --only-binary=:all: --requirement requirements.txt

COPY README.md LICENSE ./
COPY examples examples
COPY processors processors
COPY connectors connectors
COPY pipeline pipeline
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --only-binary=:all: hatchling==1.27.0 \
 && /opt/build/bin/python -m hatchling build --target wheel --directory /wheel \
 && /opt/rasd/bin/pip install --no-deps /wheel/*.whl \
 && /opt/rasd/bin/pip check \
 && /opt/rasd/bin/python -m pip uninstall --yes pip setuptools

FROM python:3.12.12-slim-bookworm
LABEL org.opencontainers.image.title="rasd" \
      org.opencontainers.image.description="Streaming news ingestion that reads Arabic war reports into structured, explainable conflict events" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"

# /data and /secrets belong to the user, so that volumes mounted there do as well.
RUN groupadd --gid 10001 rasd \
 && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin rasd \
 && install --directory --owner=10001 --group=10001 --mode=0750 /data \
 && install --directory --owner=10001 --group=10001 --mode=0755 /secrets
COPY --from=build /opt/rasd /opt/rasd

ENV PATH=/opt/rasd/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1 \
    RASD_DATA_DIR=/data
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["rasd"]
CMD ["--help"]
# Whether a service is well is asked by docker-compose.yml: one-shot commands of the same image have nothing to ask.
HEALTHCHECK NONE
