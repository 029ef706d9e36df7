# fate-installer. `make` or `make help` lists the targets.

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
PUBKEY   ?=
LDFLAGS  := -s -w -buildid= -X main.version=$(VERSION) $(if $(PUBKEY),-X fate-installer/payload.compiledKey=$(PUBKEY))
# -buildvcs=false and -trimpath: the same commit gives the same bytes wherever and whenever it is built.
GOBUILD   = CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "$(LDFLAGS)"
# Where packages, the lab's base system and built demo appliances are kept between runs.
CACHE    ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/fate-installer
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOSEC       := github.com/securego/gosec/v2/cmd/gosec@v2.30.0
# Rules of gosec that are off, since they mean nothing here:
#   G104            errors of Close and the like: staticcheck and review see to those that matter
#   G115            conversions of integers: most go to and from system calls; parsers have limits and fuzz targets
#   G204 G702       commands with variables: none goes through a shell, and only host, tools and supervisor may run any
#   G301 G302 G306  modes: what others must read is readable, and the plan says the mode of every file
#   G304 G703 G122  paths from variables: an installer has no others. What root opens below a directory that others may
#                   write goes through directory descriptors (installer/host/beneath), and a test of installer holds that
# An exception in place says "#nosec RULE -- why". The tools below scripts run on machines of developers only.
GOSEC_OFF   := G104,G115,G122,G204,G301,G302,G304,G306,G702,G703
PLATFORM ?= linux/amd64
# The database of the demo: mariadb or mysql.
DATABASE ?= mariadb

.DEFAULT_GOAL := help
.PHONY: help build build-all deps check test unit fuzz test-mysql e2e e2e-long test-hosts demo demo-down bundle bench
.PHONY: lint release clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the static binary bin/fate-installer
	$(GOBUILD) -o bin/fate-installer ./installer

build-all: build ## also build for linux/arm64
	GOARCH=arm64 $(GOBUILD) -o bin/fate-installer-linux-arm64 ./installer
	GOARCH=amd64 $(GOBUILD) -o bin/fate-installer-linux-amd64 ./installer

deps: ## install what a bare Debian 12 lacks for building, testing and the lab (as root)
	@scripts/deps.sh

test: deps lint unit fuzz e2e ## everything: lint, unit tests with -race, short fuzzing, the journey on lab hosts

check: lint ## lint and the short unit tests: a few minutes, without root
	go test -short -timeout 10m ./...

unit: ## unit tests: all of them, and again with the race detector but for the few that are long and have one goroutine
	go test -timeout 40m ./...
	go test -race -short -timeout 40m ./...

fuzz: ## run every fuzz target for a few seconds
	@scripts/fuzz.sh 2s

test-mysql: ## make and use a database with every server that can be had: MySQL 8.0 and 9, MariaDB 10.11 and 11
	FATE_TEST_ALL_DATABASES=1 go test -count=1 -timeout 30m -v -run 'TestDatabaseServers|TestOutside|TestHandshake|TestTemplate' ./installer/fate/render ./installer/fate/preflight ./installer/database

e2e: build ## install, break, reboot and uninstall on lab hosts with a real systemd (as root)
	go test -tags e2e -count=1 -p 1 -parallel 2 -timeout 90m -v ./scripts/lab/... ./scripts/e2e/...

test-hosts: export FATE_E2E_HOSTS = 1
test-hosts: build ## the party on every kind of host that hardening guides and reports describe (as root)
	go test -tags e2e -count=1 -p 1 -parallel 2 -timeout 90m -v -run 'TestHostKinds|TestForgettingMiddle|TestHostsThatCannotWork|TestUserlands' ./scripts/e2e

e2e-long: export FATE_E2E_LONG = 1
e2e-long: build ## the same, with many more kills at random moments (as root)
	go test -tags e2e -count=1 -p 1 -parallel 2 -timeout 180m -v ./scripts/e2e/...

demo: deps build ## from nothing to a running party on a lab host (as root); DATABASE=mysql for MySQL 8 in place of MariaDB
	@scripts/demo.sh --database $(DATABASE)

demo-down: ## remove the demo's lab host
	@bin/lab down --name demo

bundle: build ## build an appliance: make bundle FROM=<AnsibleFATE offline package or lock file> OUT=<file>
	@scripts/bundle.sh "$(FROM)" "$(OUT)"

bench: ## Go benchmarks and the comparisons under scripts/bench
	go test -run '^$$' -bench . -benchmem ./...
	@scripts/bench/run.sh

lint: ## gofmt, go vet, staticcheck, gosec, and no file over 1 MiB in the repository
	@big="$$(git ls-files -z | xargs -0 sh -c 'find "$$@" -maxdepth 0 -type f -size +1024k' _)"; \
	test -z "$$big" || { echo "larger than 1 MiB:"; echo "$$big"; exit 1; }
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not formatted:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./... && go vet -tags e2e ./...
	go run $(STATICCHECK) ./...
	go run $(GOSEC) -quiet -exclude=$(GOSEC_OFF) -exclude-dir=scripts ./bundle/... ./installer/... ./payload/... ./supervisor/...

release: ## build the release files with checksums into dist/
	@PUBKEY="$(PUBKEY)" release/release.sh $(VERSION)

clean: ## remove what was built here (not the cache)
	rm -rf bin dist
