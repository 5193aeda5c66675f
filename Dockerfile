# t2sda serve on the CPU: docs/serve.md says how it is built and run.
# Images are pinned by version; --build-arg GO=golang:…@sha256:… pins them by digest.
ARG GO=golang:1.26.8-bookworm
ARG NODE=node:22.20.0-bookworm-slim
ARG BASE=debian:12.12-slim

FROM ${GO} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN go build -trimpath -buildvcs=false -ldflags=-s -o /out/t2sda .

# ONNX Runtime, for the server and for browsers: pinned by digest in the program.
FROM ${NODE} AS runtime
COPY --from=build /out/t2sda /usr/local/bin/t2sda
RUN t2sda runtime install --dir /opt/onnxruntime \
 && t2sda runtime install --web --dir /opt/onnxruntime-web

FROM ${BASE}
COPY LICENSE THIRD_PARTY_NOTICES /usr/share/doc/t2sda/
COPY --from=runtime /opt/onnxruntime /opt/onnxruntime
COPY --from=runtime /opt/onnxruntime-web /opt/onnxruntime-web
COPY --from=build /out/t2sda /usr/local/bin/t2sda
ENV ONNXRUNTIME_LIB=/opt/onnxruntime/libonnxruntime.so.1 XDG_CACHE_HOME=/tmp/cache
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --start-period=30s CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q 200"]
# The token comes from the environment when the container starts: T2SDA_SERVE_TOKEN.
ENTRYPOINT ["t2sda", "serve", "--addr", "0.0.0.0:8080", "--web", "/opt/onnxruntime-web"]
CMD ["--model", "/models/model.onnx"]
