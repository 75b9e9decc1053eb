# Everything that can be done with this repository; `make help` lists it.

# A service is a folder with a far end of its own.
SERVICES := $(patsubst access/%/farend/,%,$(wildcard access/*/farend/))

VERSION ?= 0.0.0-dev
GITREF  ?= $(shell git describe --always --long --dirty --tags --abbrev=12 2>/dev/null)

GO      ?= go
STAMP    = -X teleport-plugins/lib/plugin.version=$(VERSION) -X teleport-plugins/lib/plugin.gitref=$(STAMPREF)
# A release says of which plugin it is too, as Teleport's own do.
STAMPREF = $(GITREF)
# Most of a binary is the generated code of the Teleport API. Without inlining
# it is two megabytes smaller and, where it is used here, no slower to notice.
# Descriptions for debuggers are left out of the binaries, so that they are not made.
SMALL   := -gcflags=all=-dwarf=false '-gcflags=github.com/gravitational/teleport/api/...=-l -dwarf=false'
GOBUILD  = $(GO) build -trimpath -buildvcs=false $(SMALL) -ldflags '-s -w $(STAMP)'
# Everything is built as the binaries are, so that nothing is compiled twice; the
# race detector alone needs cgo. What vet finds, lint shows.
export GOFLAGS := -trimpath -buildvcs=false $(SMALL) -ldflags=-s -vet=off
export CGO_ENABLED := 0

# Linters, pinned; they are built on first use.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
DEADCODE    := golang.org/x/tools/cmd/deadcode@v0.52.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
OPA_VERSION := v1.22.4

# The database of known vulnerabilities. Where it cannot be reached, lint says so
# and goes on.
VULNDB ?= https://vuln.go.dev

DEMO_ADDR ?= 127.0.0.1:8080

# Which packages are tested, and further options of go test.
PACKAGES  ?= ./...
TESTFLAGS ?=

# How long each fuzz target runs.
FUZZTIME ?= 20s

# How long faults come in a chaos run, and the seed that brings back an earlier
# one; without it each run has its own, and prints it.
FOR  ?= 10m
SEED ?=

PLUGINS := $(foreach s,$(SERVICES),$(if $(wildcard access/$(s)/cmd/teleport-$(s)),build/teleport-$(s)))

.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

BINARIES := $(PLUGINS) build/teleport-sandbox

build: $(BINARIES) ## build the plugins and the sandbox into build/

main_package = access/$(if $(filter sandbox,$(1)),services,$(1))/cmd/teleport-$(1)

build/teleport-%: FORCE
	@mkdir -p $(@D)
	$(GOBUILD) -o $@ ./$(call main_package,$*)

build/race/teleport-%: FORCE
	@mkdir -p $(@D)
	CGO_ENABLED=1 $(GOBUILD) -race -o $@ ./$(call main_package,$*)

test: build ## run all tests, those with the real binaries among them
	PLUGINS_BIN=$(CURDIR)/build $(GO) test -p 4 -parallel 4 -timeout 20m $(TESTFLAGS) $(PACKAGES)

# The binaries have the detector in them too. What they report would be lost among
# the lines that the tests read, so that all reports go to files. What only repeats, or
# starts one process after the other, is left to make test, and so is what only reads
# files (install).
race: PACKAGES = ./access/... ./lib/...
race: $(BINARIES:build/%=build/race/%) ## run the tests with the race detector, in the tests and in the binaries
	@rm -f build/race/report.*
	CGO_ENABLED=1 PLUGINS_BIN=$(CURDIR)/build/race GORACE=log_path=$(CURDIR)/build/race/report \
		$(GO) test -race -short -p 3 -timeout 20m $(TESTFLAGS) $(PACKAGES); status=$$?; \
	if ls build/race/report.* >/dev/null 2>&1; then cat build/race/report.*; exit 1; fi; exit $$status

demo: build ## start the sandbox and the plugins, and print the address of the page
	@exec build/teleport-sandbox start --addr $(DEMO_ADDR) $(addprefix --plugin ,$(PLUGINS))

new-service: ## add a service as a copy of the example: make new-service NAME=…
	@install/new-service $(NAME)

lint: ## check format, code, and the libraries for known vulnerabilities
	@unformatted=$$($(GO) run $(GOFUMPT) -l access lib docker install); \
	if [ -n "$$unformatted" ]; then echo "not formatted (run gofumpt -w):"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) mod tidy -diff
	$(GO) run $(STATICCHECK) ./...
	@dead=$$($(GO) run $(DEADCODE) -test ./...) || exit 1; \
	if [ -n "$$dead" ]; then echo "never called:"; echo "$$dead"; exit 1; fi
	@if curl -sfLo /dev/null --max-time 20 $(VULNDB)/index/db.json; then \
		$(GO) run $(GOVULNCHECK) -db $(VULNDB) ./...; \
	else echo "The libraries were not checked for vulnerabilities: $(VULNDB) cannot be reached."; fi

fuzz: ## run each fuzz target for FUZZTIME (20s)
	@grep -rlE '^func Fuzz' --include='*_test.go' access lib | while read -r file; do \
		grep -oE '^func Fuzz[A-Za-z0-9]+' "$$file" | sed 's/func //' | while read -r target; do \
			echo "$$target in $$(dirname "$$file")"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" || exit 1; \
		done || exit 1; \
	done

bench: build ## measure speed, processor time, memory and calls beside the floor
	PLUGINS_BIN=$(CURDIR)/build $(GO) run ./access/e2e/bench

faults: build ## run the fault timelines and print their table
	PLUGINS_BIN=$(CURDIR)/build $(GO) run ./access/e2e/faults

worlds: ## run the engine against the model of the promise, in 37,000 small and 10,000 random worlds
	$(GO) test ./lib/reconcile -run Worlds -timeout 60m -args -worlds.full -worlds.seed $(or $(SEED),1)

mutate: ## change the code in N places (400), drawn by SEED (1), and see whether a test notices
	$(GO) run ./install/test/mutate -n $(or $(N),400) -seed $(or $(SEED),1)

chaos: build ## run the plugins under random faults: SEED=… FOR=10m
	PLUGINS_BIN=$(CURDIR)/build $(GO) run ./access/e2e/chaos -seed "$(SEED)" -for $(FOR) $(CHAOSFLAGS)

pictures: build ## take the pictures of the sandbox's page anew, of the real page
	TELEPORT_SANDBOX_PICTURES=$(CURDIR)/lib/sandbox/pictures PLUGINS_BIN=$(CURDIR)/build $(GO) test -count=1 ./access/e2e/page -run TestPictures

OPA := build/tools/opa-$(OPA_VERSION)/opa

policies: $(OPA) ## have Open Policy Agent itself decide by the policy in Rego
	PATH="$(CURDIR)/$(dir $(OPA)):$$PATH" $(GO) test -count=1 $$(ls -d ./access/*/examples/*/)

$(OPA):
	GOBIN=$(CURDIR)/$(@D) $(GO) install github.com/open-policy-agent/opa@$(OPA_VERSION)

clean: ## remove what was built
	rm -rf build

-include install/*.mk

FORCE:

.PHONY: help build test race demo new-service lint fuzz bench faults worlds mutate chaos pictures policies clean FORCE
