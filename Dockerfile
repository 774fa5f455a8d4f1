# syntax=docker/dockerfile:1
# The server and every command in one small image.
#   docker build --tag handoff .
#   docker run --volume "$PWD/ledger:/ledger" --publish 8080:8080 --env-file secrets.env handoff
FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
ARG VERSION=unreleased
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="handoff" \
      org.opencontainers.image.description="Signed contracts become handoffs in git" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 handoff \
    && git config --system --add safe.directory /ledger
COPY --from=build /source/target/release/handoff /usr/local/bin/handoff
COPY LICENSE THIRD-PARTY.md /usr/share/doc/handoff/
USER 10001
WORKDIR /ledger
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["handoff"]
CMD ["serve", "--listen", "0.0.0.0:8080"]
