FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /outferry ./cmd/outferry

# A shell is not needed; a health check needs a way to ask.
FROM busybox:1.37-musl AS busybox

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=busybox /bin/busybox /wget
COPY --from=build /outferry /outferry
WORKDIR /etc/outferry
ENV OUTFERRY__SERVICE__HTTP__LISTEN=0.0.0.0:8087
EXPOSE 8087
HEALTHCHECK --interval=10s CMD ["/wget", "-q", "--spider", "http://127.0.0.1:8087/healthz"]
ENTRYPOINT ["/outferry"]
CMD ["run", "/etc/outferry"]
