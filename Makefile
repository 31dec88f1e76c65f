# What one does daily; .ci/run is all that must hold before a change lands.
.PHONY: build test check docs bench

build: # the binary, ./aclgate
	CGO_ENABLED=0 go build -trimpath -o aclgate ./cmd/aclgate

test: # every test, without the long ones
	go test -short ./...

check: # format, vet, staticcheck, tidy, sizes
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "gofmt is needed for: $$unformatted"; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	go mod tidy -diff
	.ci/sizes

docs: # the pages and testdata that are made from code
	go test ./policy -run TestPage -update
	go test ./policy/admin -run TestPage -update
	go test ./metrics -run TestExposition -update
	go test ./cmd/aclgate -run 'TestPage|TestDocs' -update

bench: # one minute: CPU per request against a bare proxy
	go run ./cmd/aclgate bench quick
