FROM debian:bookworm-slim AS build
WORKDIR /src
COPY scripts/install-deps scripts/
RUN scripts/install-deps build
COPY . .
RUN scripts/build release albatross \
 && DESTDIR=/out cmake --install build/release --prefix /usr --strip

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      ca-certificates libc-ares2 libdate-tz3 libidn2-0 libnghttp2-14 libre2-9 libssl3 libstdc++6 libyaml-cpp0.7 tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin albatross \
 && install -d -o albatross -g albatross /run/albatross /etc/albatross
COPY --from=build /out/usr/ /usr/
USER albatross
EXPOSE 8080 8443
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["albatross", "status"]
ENTRYPOINT ["albatross"]
CMD ["run", "-c", "/etc/albatross/albatross.yaml"]
