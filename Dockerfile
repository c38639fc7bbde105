# docker build -t berth --build-arg VERSION="$(git describe --always)" .
# docker run --rm --network host berth run --from :8080 --to 127.0.0.1:3000

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY scripts/setup scripts/setup
RUN scripts/setup build
COPY Makefile ./
COPY conf/berth.yaml conf/berth.yaml
COPY proxy proxy
ARG VERSION=
RUN make ${VERSION:+VERSION="$VERSION"} CCACHE= build/berth

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      ca-certificates libc-ares2 libevent-core-2.1-7 libevent-extra-2.1-7 libevent-pthreads-2.1-7 libnghttp2-14 \
      libprometheus-cpp-core1.0 libssl3 libstdc++6 libyaml-cpp0.7 zlib1g \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin berth
COPY --from=build /src/build/berth /usr/local/bin/berth
COPY conf/berth.yaml /etc/berth/berth.yaml
RUN berth check -c /etc/berth/berth.yaml
# By number, so that runAsNonRoot can be checked.
USER 10001
EXPOSE 8080 9145
STOPSIGNAL SIGTERM
# Asks the admin listener at its default address; give another with --admin if the configuration does.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["berth", "healthcheck"]
ENTRYPOINT ["berth"]
CMD ["run", "-c", "/etc/berth/berth.yaml"]
