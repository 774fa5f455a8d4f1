# The server and every command in one small image.
#   docker build -t handoff .
#   docker run -v "$PWD/ledger:/ledger" -p 8080:8080 --env-file secrets.env handoff serve --listen 0.0.0.0:8080
FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 handoff
COPY --from=build /source/target/release/handoff /usr/local/bin/handoff
USER handoff
WORKDIR /ledger
# The ledger is a volume that another user may own.
RUN git config --global --add safe.directory /ledger
EXPOSE 8080
ENTRYPOINT ["handoff"]
CMD ["serve", "--listen", "0.0.0.0:8080"]
