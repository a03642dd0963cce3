# Two stages: the Rust toolchain builds, and what runs is Debian's C library,
# one binary and no shell script. Nothing here needs BuildKit, so the engine
# and docker-compose that Debian ships build it too.

# Another registry, or a digest to pin: --build-arg RUST_IMAGE=…
ARG RUST_IMAGE=rust:1-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p crosstalk-server

FROM ${DEBIAN_IMAGE}
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin crosstalk \
    && install --directory --owner=10001 --mode=700 /data
COPY --from=build /src/target/release/crosstalk-server /usr/local/bin/

# By number, so that an orchestrator can see that it is not root.
USER 10001
EXPOSE 8080 44444

# Everything the server keeps. A volume that is new takes over the owner.
ENV CROSSTALK_DATA=/data
VOLUME /data

# The server drains on SIGTERM and needs up to ten seconds for it. In exec form
# it is process 1 and gets the signal itself; it starts no processes, so there
# is nothing for an init to reap.
STOPSIGNAL SIGTERM
ENTRYPOINT ["crosstalk-server"]

# The binary asks itself, so that the image needs no curl.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
    CMD ["crosstalk-server", "healthcheck"]
