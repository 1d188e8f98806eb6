# samforge: `make demo` shows the main job on a bare machine, `make test` tests
# everything. Both need Go, gcc, git, make and root.

GO      ?= go
TOOLS   := buildkitd buildkitd-v0.33 buildctl buildx runc rootlesskit registry crane aws-lambda-rie
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION)

.PHONY: build instances tools deps demo-deps demo test unit integration lint golden bench soak fuzz frontend-image image extras release signing-key release-check site casts clean

# The tag leaves out gRPC's tracing pages: without their templates the linker can drop unused methods.
COMPILE := CGO_ENABLED=0 $(GO) build -trimpath -tags grpcnotrace -ldflags '$(LDFLAGS)'

build: instances ## bin/samforge, bin/samforge-bake and bin/samforge-frontend
	$(COMPILE) -o bin/ ./cmd/samforge ./cmd/samforge-bake ./cmd/samforge-frontend

instances: ## what samforge invoke runs in a function's container
	for arch in amd64 arm64; do \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) build -trimpath -buildvcs=false -ldflags '-s -w -buildid=' -o bin/instance-$$arch ./cmd/samforge-instance && \
	  gzip -9nc bin/instance-$$arch >bin/instance-$$arch.gz && \
	  mv bin/instance-$$arch.gz internal/invoke/programs/ || exit 1; done

# runc is the one tool with cgo. Without libseccomp it builds too, but then a
# kernel that has seccomp refuses its containers; a SAM image needs none.
tools: $(TOOLS:%=bin/%) ## what demo, test and bench run: buildkitd and others

bin/runc: integration/tools/go.mod
	cd integration/tools && CGO_ENABLED=1 $(GO) build -trimpath -ldflags '-s -w' \
	  $$(pkg-config --exists libseccomp 2>/dev/null && echo -tags seccomp) -o ../../bin/ github.com/opencontainers/runc

# The BuildKit before the one in go.mod: samforge works with both.
bin/buildkitd-v0.33: integration/tools/buildkit-v0.33/go.mod
	cd integration/tools/buildkit-v0.33 && CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o ../../../$@ github.com/moby/buildkit/cmd/buildkitd

# A module of its own, so that it does not choose the versions of the other tools.
bin/aws-lambda-rie: integration/tools/aws-lambda-rie/go.mod
	cd integration/tools/aws-lambda-rie && CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o ../../../bin/ $$($(GO) list tool)

bin/goreleaser bin/cyclonedx-gomod: integration/tools/goreleaser/go.mod
	cd integration/tools/goreleaser && CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o ../../../bin/ $$($(GO) list tool)

bin/cosign: integration/tools/cosign/go.mod
	cd integration/tools/cosign && CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o ../../../bin/ $$($(GO) list tool)

bin/%: integration/tools/go.mod
	cd integration/tools && CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o ../../bin/ $$($(GO) list tool | grep /$*$$)

# A module of its own: it needs other versions of what the tools are made of.
bin/golangci-lint: integration/lint/go.mod
	cd integration/lint && CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o ../../bin/ $$($(GO) list tool)

deps: demo-deps ## Debian packages that the tests need: those of the demo, rootless, a Docker engine, compilers
	sh integration/deps.sh uidmap docker.io cmake g++ python3 curl rpm $(foreach arch,$(FOREIGN),$(CROSS_$(arch)))

demo-deps: ## Debian packages that the demo needs: seccomp, base systems, npm
	sh integration/deps.sh libseccomp-dev pkg-config debootstrap
	command -v npm >/dev/null || sh integration/deps.sh npm

demo: demo-deps build tools ## the main job: the examples, built and pushed on loopback
	$(GO) run ./integration/demo $(if $(REAL),-real)

test: deps ## unit, golden and integration tests
	$(MAKE) -j2 build tools lint unit
	$(MAKE) integration

unit: ## unit and golden tests, with the race detector
	$(GO) test -race -timeout 20m $$($(GO) list ./... | grep -v /integration)

# More tests side by side than processors: they wait for programs and for npm.
integration: build tools ## the real command on real buildkitds and registries
	$(GO) test -timeout 60m -parallel 4 ./integration/...

lint: bin/golangci-lint ## gofmt, and what .golangci.yml lists
	test -z "$$(gofmt -l .)"
	bin/golangci-lint run ./...

golden: ## rewrite the golden graphs and what is generated in docs
	$(GO) test ./llbgen ./samtemplate ./internal/ci ./cmd/samforge -run Golden -update

site: ## the documentation as a website: bin/site/index.html
	$(GO) run ./docs/site -o bin/site

casts: demo-deps build tools ## record README's commands on loopback as pictures of a terminal
	$(GO) run ./integration/demo -base-size 16 -casts docs/casts

fuzz: ## every parser for a minute
	for f in $$(grep -o '^func Fuzz[A-Za-z]*' $$(git ls-files "*_test.go") | sed 's|/[^/]*:func |:|'); do \
	  $(GO) test ./$${f%:*} -run '^$$' -fuzz "^$${f#*:}$$" -fuzztime 1m || exit 1; done

bench: deps build tools ## side by side with what users do today
	sh integration/deps.sh curl
	$(GO) run ./integration/bench $(BENCH)

soak: deps build tools ## builds and invocations for 17 minutes while everything fails at random
	$(GO) run ./integration/soak $(SOAK)

frontend-image: bin/buildkitd bin/buildctl bin/runc ## build and push the frontend's image: FRONTEND_IMAGE=ref [BUILDKIT_HOST=address]
	@test -n "$(FRONTEND_IMAGE)" || { echo "say what it is to be called: make frontend-image FRONTEND_IMAGE=registry.example.com/samforge-frontend:1" >&2; exit 2; }
	for arch in amd64 arm64; do \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) build -trimpath -tags grpcnotrace -buildvcs=false -ldflags '$(LDFLAGS) -buildid=' \
	    -o bin/frontend/samforge-frontend-$$arch ./cmd/samforge-frontend || exit 1; done
	sh integration/image.sh $(FRONTEND_IMAGE) Dockerfile.frontend bin/frontend \
	  --opt platform=linux/amd64,linux/arm64 --opt context:build=local:context

IMAGE_ARCHES  := amd64 arm64
TRIPLET_amd64 := x86_64-linux-gnu
TRIPLET_arm64 := aarch64-linux-gnu
CROSS_amd64   := gcc-x86-64-linux-gnu libc6-dev-amd64-cross libseccomp-dev:amd64
CROSS_arm64   := gcc-aarch64-linux-gnu libc6-dev-arm64-cross libseccomp-dev:arm64
FOREIGN       := $(filter-out $(shell $(GO) env GOHOSTARCH),$(IMAGE_ARCHES))

image: ## build and push an image of samforge itself: IMAGE=ref [BASE=ref] [IMAGE_ARCHES=amd64] [BUILDKIT_HOST=address]
	@test -n "$(IMAGE)" || { echo "say what it is to be called: make image IMAGE=registry.example.com/samforge:1" >&2; exit 2; }
	$(MAKE) instances bin/buildkitd bin/buildctl bin/runc $(IMAGE_ARCHES:%=image-programs-%)
	sh integration/image.sh $(IMAGE) Dockerfile.cli bin/image $(if $(BASE),--opt build-arg:BASE=$(BASE)) \
	  --opt platform=$$(echo $(IMAGE_ARCHES:%=linux/%) | tr ' ' ,)

# runc is static, so that it needs nothing of the base. A foreign one takes a cross compiler.
image-programs-%: instances
	$(if $(filter $*,$(FOREIGN)),sh integration/deps.sh $(CROSS_$*))
	mkdir -p bin/image/$*
	GOOS=linux GOARCH=$* $(COMPILE) -o bin/image/$*/ ./cmd/samforge ./cmd/samforge-bake
	cd integration/tools && CGO_ENABLED=0 GOOS=linux GOARCH=$* $(GO) build -trimpath -ldflags '-s -w' -o ../../bin/image/$*/ $$($(GO) list tool | grep -E '/(buildkitd|rootlesskit)$$')
	cd integration/tools && CGO_ENABLED=1 GOOS=linux GOARCH=$* CC=$(TRIPLET_$*)-gcc PKG_CONFIG_LIBDIR=/usr/lib/$(TRIPLET_$*)/pkgconfig \
	  $(GO) build -trimpath -tags seccomp,netgo,osusergo -ldflags '-s -w -extldflags -static' -o ../../bin/image/$*/ github.com/opencontainers/runc

# Everything that is released has the date of the commit.
extras release: export SOURCE_DATE_EPOCH = $(shell git log -1 --format=%ct 2>/dev/null)

extras: ## bin/extras: the manual pages and completions of a release
	rm -rf bin/extras
	mkdir -p bin/extras/man bin/extras/completions
	$(GO) run -tags manpages ./cmd/samforge man bin/extras/man
	gzip -9n bin/extras/man/*.1
	for shell in bash zsh fish powershell; do \
	  $(GO) run -tags manpages ./cmd/samforge completion $$shell >bin/extras/completions/samforge.$$shell || exit 1; done

# A commit without a tag makes a snapshot. One program after the other: an archive has them in the order
# in which they were ready. goreleaser knows no commit where git has no remote, so it
# has one.
release: bin/goreleaser bin/cyclonedx-gomod bin/cosign ## dist: archives, packages, checksums, SBOMs; signed with COSIGN_KEY; uploaded with PUBLISH=yes
	GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=remote.origin.url GIT_CONFIG_VALUE_0=https://github.com/samforge/samforge.git \
	PATH="$(CURDIR)/bin:$$PATH" bin/goreleaser release --clean --parallelism 1 $(if $(CONFIG),--config $(CONFIG)) \
	  $(if $(shell git describe --tags --exact-match 2>/dev/null),,--snapshot) \
	  $(if $(COSIGN_KEY),,--skip=sign) $(if $(PUBLISH),,--skip=publish)

signing-key: bin/cosign ## a pair of keys: COSIGN_KEY=FILE.key, with FILE.pub beside it
	bin/cosign generate-key-pair --output-key-prefix $(COSIGN_KEY:.key=)

release-check: ## two releases in a row, which must be the same
	$(MAKE) release
	cp dist/checksums.txt bin/checksums.txt
	$(MAKE) release
	diff bin/checksums.txt dist/checksums.txt

clean:
	rm -rf bin dist
