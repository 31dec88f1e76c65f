# A static binary in an empty image: no shell, no libc, no user but a number.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG RELEASE=""
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=${RELEASE}" -o /aclgate ./cmd/aclgate

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /aclgate /aclgate
USER 65532:65532
WORKDIR /etc/aclgate
EXPOSE 8080 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/aclgate", "health", "--ready", "-c", "/etc/aclgate/aclgate.yaml"]
ENTRYPOINT ["/aclgate"]
CMD ["serve", "-c", "/etc/aclgate/aclgate.yaml"]
