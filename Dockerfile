# syntax=docker/dockerfile:1
# kahao in an image without shell or package manager: `docker build -t kahao .`
# deploy/rootfs.sh takes the same steps without a container engine; test.sh runs it.

FROM rust:1.94-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release --package kahao \
    && install -D target/release/kahao /root-of-image/usr/bin/kahao \
    && install -d -m 0700 -o 65532 -g 65532 /root-of-image/var/lib/kahao

# glibc, libgcc and nothing to run; its user nonroot is 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /root-of-image/ /
WORKDIR /var/lib/kahao
# Settings: docs/CONFIG.md. A service that listens beyond loopback needs a key first:
#   docker run --rm -v kahao:/var/lib/kahao kahao keys create --name NAME
# The last three keep memory flat and at hand (docs/RELIABILITY.md, Soak).
ENV KAHAO_LISTEN=0.0.0.0:8080 \
    KAHAO_DATABASE=sqlite:///var/lib/kahao/kahao.db \
    KAHAO_LOG_FORMAT=json \
    MALLOC_MMAP_THRESHOLD_=1000000 \
    MALLOC_TRIM_THRESHOLD_=4000000 \
    MALLOC_ARENA_MAX=2
VOLUME /var/lib/kahao
EXPOSE 8080
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s CMD ["/usr/bin/kahao", "health"]
ENTRYPOINT ["/usr/bin/kahao"]
CMD ["serve"]
