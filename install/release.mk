# Archives, images, and the tests of both.

# What lies in the source alone is named, and not linked to.
UNLINK := -e 's@\[\([^]]*\)\](examples/[^)]*)@\1@g' -e 's@\[\([^]]*\)\](../../lib/[^)]*)@\1@g'

ARCHES      := amd64 arm64
RELEASE_DIR ?= build/release
EPOCH       ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
REVISION    ?= $(shell git rev-parse HEAD 2>/dev/null)
IMAGE_TAG   := $(subst +,_,$(VERSION))
# Where the source is published, for the label of the images.
IMAGE_SOURCE ?=
DOCKER      ?= docker

# Asked once: a commit while a release is built must not end up in half of it.
GITREF   := $(GITREF)
EPOCH    := $(EPOCH)
REVISION := $(REVISION)
SHORTREF := $(shell printf %.9s '$(REVISION)')
export VERSION GITREF EPOCH REVISION

# Nothing of the machine may reach a binary: not its own compiler, whichever
# that is, and not what its owner has set for other builds.
PINNED := GOTOOLCHAIN=go$(shell awk '$$1 == "go" {print $$2}' go.mod) GOOS=linux GOAMD64=v1 GOARM64=v8.0 GOFLAGS= GOEXPERIMENT=

# SIGNING_KEY names the file with the key that signs the sums; without one they are not.
release: version-check ## build the archives and packages of all plugins into build/release; VERSION=x.y.z
	@rm -rf $(RELEASE_DIR) && mkdir -p $(RELEASE_DIR)
	@$(foreach a,$(ARCHES),$(MAKE) --no-print-directory ARCH=$(a) $(foreach s,$(SERVICES),stage-$(s)) &&) true
	@cd install/native && $(GO) build -o $(CURDIR)/build/tools/native .
	@$(foreach a,$(ARCHES),build/tools/native -version $(VERSION) -arch $(a) -mtime $(EPOCH) -scripts install/native/scripts \
		-out $(RELEASE_DIR) $(foreach s,$(SERVICES),$(RELEASE_DIR)/stage/$(call archive,$(s),$(a))) &&) true
	@$(GO) run ./install/pack -mtime $(EPOCH) -out $(RELEASE_DIR) $(if $(SIGNING_KEY),-key $(SIGNING_KEY)) \
		$(foreach s,$(SERVICES),$(foreach a,$(ARCHES),$(RELEASE_DIR)/stage/$(call archive,$(s),$(a))))
	@rm -rf $(RELEASE_DIR)/stage
	@cat $(RELEASE_DIR)/SHA256SUMS

archive = teleport-access-$(1)-v$(VERSION)-linux-$(2)-bin

version-check:
	@echo '$(VERSION)' | grep -Eq '^[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$$' \
		|| { echo "VERSION is '$(VERSION)'; give it as 1.2.3, without a v" >&2; exit 1; }

# One plugin for one ARCH, laid out as it is to be packed.
stage-% image-%: STAMPREF = teleport-$*-v$(VERSION)-$(SHORTREF)
stage-%: DIR = $(RELEASE_DIR)/stage/$(call archive,$*,$(ARCH))/teleport-access-$*
stage-%: FORCE
	@mkdir -p $(DIR)/roles $(DIR)/docs
	$(PINNED) GOARCH=$(ARCH) $(GOBUILD) -o $(DIR)/teleport-$* ./access/$*/cmd/teleport-$*
	@sed $(UNLINK) -e 's#](\.\./\.\./install/#](docs/#g' -e 's#](\.\./\([a-z]*\)/README\.md#](docs/\1.md#g' access/$*/README.md >$(DIR)/README.md
	@for s in $(SERVICES); do sed $(UNLINK) -e 's#](\.\./\.\./install/#](#g' -e 's#](\.\./\([a-z]*\)/README\.md#](\1.md#g' access/$$s/README.md >$(DIR)/docs/$$s.md; done
	@cp install/alerts.yml install/alerts_test.yml install/dashboard.json $(DIR)/docs/
	@for f in install/*.md; do sed 's#](\.\./access/\([a-z]*\)/README\.md#](\1.md#g' $$f >$(DIR)/docs/$${f##*/}; done
	@$(GO) run ./install/bill -binary $(DIR)/teleport-$* -version v$(VERSION) -sbom $(DIR)/teleport-$*.cdx.json -notices $(DIR)/THIRD-PARTY-NOTICES
	@cp LICENSE install/install $(DIR)/
	@cp access/$*/roles/*.yaml $(DIR)/roles/
	@title=$$(printf %s $* | awk '{print toupper(substr($$0, 1, 1)) substr($$0, 2)}'); \
		sed "s/@PLUGIN@/$*/g; s/@TITLE@/$$title/g" install/systemd/teleport-plugin.service.in >$(DIR)/teleport-$*.service
	@echo 'v$(VERSION)' >$(DIR)/VERSION

image: version-check ## build the container images of all plugins and of the sandbox, for amd64 and arm64
	@mkdir -p build/image && $(GO) run ./install/roots >build/image/ca-certificates.crt
	@$(foreach a,$(ARCHES),$(MAKE) --no-print-directory ARCH=$(a) $(foreach s,sandbox $(SERVICES),image-$(s)) &&) true
	@$(foreach s,sandbox $(SERVICES),$(DOCKER) tag teleport-plugin-$(s):$(IMAGE_TAG)-$(HOST_ARCH) teleport-plugin-$(s):$(IMAGE_TAG) &&) true

HOST_ARCH    = $(shell $(GO) env GOHOSTARCH)
# In the two dialects of date.
CREATED      = $(shell date -u -d @$(EPOCH) +%FT%TZ 2>/dev/null || date -u -r $(EPOCH) +%FT%TZ)

# The image of one plugin for one ARCH. Its files, laid out as in the image, are
# all that the builder is given.
image-%: DIR = build/image/$*-$(ARCH)
image-%: FORCE
	@mkdir -p $(DIR)/etc/ssl/certs $(DIR)/usr/local/bin
	@cp build/image/ca-certificates.crt $(DIR)/etc/ssl/certs/
	$(PINNED) GOARCH=$(ARCH) $(GOBUILD) -o $(DIR)/usr/local/bin/teleport-plugin ./$(call main_package,$*)
	@$(DOCKER) build --quiet --platform linux/$(ARCH) --file docker/Dockerfile --tag teleport-plugin-$*:$(IMAGE_TAG)-$(ARCH) \
		--build-arg PLUGIN=$* --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) \
		--build-arg SOURCE=$(IMAGE_SOURCE) --build-arg CREATED=$(CREATED) $(DIR)
	@echo "built teleport-plugin-$*:$(IMAGE_TAG)-$(ARCH)"

image-test: ## check the Dockerfile, build the images and run them against the sandbox
	cd install/test/dockerlint && $(GO) run . $(CURDIR)/docker/Dockerfile
	@if $(DOCKER) info >/dev/null 2>&1; then \
		$(MAKE) --no-print-directory image && \
		IMAGE_TAG=$(IMAGE_TAG) SERVICES='$(SERVICES)' $(GO) test -count=1 -run Image ./install/test; \
	else echo "The images were not tested: no container engine answers to '$(DOCKER) info'."; fi

# The archives are tried where users are to unpack them: on a Debian system with
# nothing on it, and on one that systemd has booted, in a container. An upgrade
# needs a version before.
ship-test: ship-tools build/debian build/debian-systemd ## install, upgrade and remove the archives on a bare Debian
	@$(MAKE) --no-print-directory release RELEASE_DIR=build/ship/old VERSION=1.2.2-ship ARCHES=amd64
	@$(MAKE) --no-print-directory release RELEASE_DIR=build/ship/new VERSION=1.2.3
	SHIP_DIR=$(CURDIR)/build/ship DEBIAN=$(CURDIR)/build/debian DEBIAN_SYSTEMD=$(CURDIR)/build/debian-systemd \
		SERVICES='$(SERVICES)' $(GO) test -count=1 -parallel 4 -v -run Ship ./install/test

ship-tools: FORCE
	@install/test/tools.sh

build/debian-systemd: INCLUDE = --include=systemd,systemd-sysv,dbus
build/debian build/debian-systemd:
	@mkdir -p build && rm -rf $@.new
	debootstrap --variant=minbase $(INCLUDE) bookworm $(CURDIR)/$@.new
	mv $@.new $@

# RELEASED names a release of the last commit, of VERSION, that is there already.
reproducible-test: ## build the archives in several folders and compare them
	VERSION=$(if $(RELEASED),$(VERSION),1.2.3) RELEASED=$(RELEASED) SERVICES='$(SERVICES)' install/test/reproducible.sh

# TESTED=1 leaves out what other clean clones have just shown: make test, make release.
newcomer-test: ## walk the way of a newcomer: clone, demo, test, release, a service of their own
	NEWCOMER=$$(git rev-parse HEAD) TESTED=$(TESTED) $(GO) test -count=1 -timeout 30m -v -run Newcomer ./install/test

# Built on first use, and not through go.mod: it is large, and only tests use it.
HELM_VERSION := v3.22.0
HELM         ?= $(CURDIR)/build/tools/helm-$(HELM_VERSION)

build/tools/helm-%:
	GOBIN=$(CURDIR)/build/tools $(GO) install helm.sh/helm/v3/cmd/helm@$*
	mv build/tools/helm $@

# Programs of others that tests run; they take long to compile.
test-tools: $(HELM:$(CURDIR)/%=%) $(OPA)

helm-test: $(HELM:$(CURDIR)/%=%) ## check and render the charts
	cd install/helm/strict && $(GO) build -o $(CURDIR)/build/tools/strict .
	HELM=$(HELM) STRICT=$(CURDIR)/build/tools/strict $(GO) test -count=1 ./install/helm

charts: version-check $(HELM:$(CURDIR)/%=%) ## package the charts of all plugins into build/charts; VERSION=x.y.z
	@mkdir -p build/charts
	@$(foreach s,$(SERVICES),$(HELM) package access/$(s)/chart --version $(VERSION) --app-version $(VERSION) --destination build/charts &&) true

.PHONY: newcomer-test test-tools helm-test charts release version-check image image-test ship-test reproducible-test
