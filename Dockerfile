# The image: the static binary and the CA certificates of the builder's Debian, and nothing else. `make image` builds it
# and checks it; CONTRIBUTING.md, "The image", says how to build it with docker.

# Pinned to a version, that of rust-toolchain.toml. To pin it to a digest too:
#   --build-arg RUST_IMAGE=docker.io/library/rust:1.95.0-slim-bookworm@sha256:...
ARG RUST_IMAGE=docker.io/library/rust:1.95.0-slim-bookworm

FROM ${RUST_IMAGE} AS builder
WORKDIR /build

# The dependencies, in a layer of their own: it is valid until a manifest or Cargo.lock changes. Not a cache mount: those
# need BuildKit or buildah, no registry can hold them for the next machine, and in a target folder that outlives its sources
# cargo takes an older file for one that did not change. Of the other members of the workspace cargo wants a manifest and a
# target; neither they nor what they depend on is built.
COPY Cargo.toml Cargo.lock ./
COPY benches/Cargo.toml benches/
COPY tests/emulator/Cargo.toml tests/emulator/
RUN mkdir -p src benches/src tests/emulator/src \
    && echo '//! Stands in for the sources.' | tee src/lib.rs benches/src/lib.rs tests/emulator/src/lib.rs >src/main.rs \
    && echo 'fn main() {}' >>src/main.rs \
    && cargo build --release --locked --package irsa-sidecar

# `doctor --explain` prints that page, which is a part of the program.
COPY docs/troubleshooting.md docs/

# Static in the last link alone, so that macros, which are libraries of the builder, can be built without naming a target.
# Without the touch cargo would compare the times of the checkout with that of the layer above.
COPY src src
RUN touch src/lib.rs src/main.rs \
    && cargo rustc --release --locked --package irsa-sidecar --bin irsa-sidecar -- -C target-feature=+crt-static

# With the times of the sources, if they are given: the same files are then the same layer.
ARG SOURCE_DATE_EPOCH=0
RUN install -D target/release/irsa-sidecar /image/irsa-sidecar \
    && install -D --mode=0644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
    && find /image -exec touch --date="@${SOURCE_DATE_EPOCH}" {} +

FROM scratch
COPY --from=builder /image/ /
# Nobody's, on the node too.
USER 65532:65532
# Of the metrics and probes. The credentials are served on the pod's loopback and cannot be exposed.
EXPOSE 9911
ENTRYPOINT ["/irsa-sidecar"]

ARG SOURCE=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="irsa-sidecar" \
      org.opencontainers.image.description="Gives any program in a Kubernetes pod the AWS identity of its service account" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
