# syntax=docker/dockerfile:1
# Medallion with the locked packages, for a user without rights. How to use it: docs/OPERATIONS.md#in-a-container

FROM python:3.12-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /opt/medallion
COPY config/requirements.lock config/requirements.lock
RUN /opt/medallion/bin/pip install --no-cache-dir --require-hashes -r config/requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/medallion/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim-bookworm
RUN useradd --uid 10001 --create-home medallion && install -d -o medallion -g medallion -m 0700 /data
COPY --from=build /opt/medallion /opt/medallion
ENV PATH=/opt/medallion/bin:$PATH \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /data
VOLUME /data
ENTRYPOINT ["medallion"]
CMD ["--help"]
