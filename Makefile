# What a developer types. CI calls nothing else. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
# Everything that is built or installed lies here; CARGO_TARGET_DIR moves it.
TARGET := $(or $(CARGO_TARGET_DIR),target)
CLIENTS := $(TARGET)/clients
CARGO ?= cargo

# The real clients. Pinned: a test must not change under us.
PYTHON_CLIENTS := awscli==1.46.3 boto3==1.43.67 aiobotocore==3.10.0
# Apart from the others: it wants a newer dateutil than the AWS CLI takes.
KUBERNETES_CLIENT := kubernetes==37.0.2
# The schemas of Kubernetes, against which the manifests are held.
KUBERNETES_VALIDATE := kubernetes-validate==1.37.0
# Every client of tests/clients, a folder for each in each version.
MATRIX := $(CLIENTS)/matrix
PYTHON_ROWS := $(basename $(notdir $(wildcard tests/clients/python/pins/*.txt)))
PYTHON_ROWS_THERE := $(subst ==,-,$(filter awscli==% boto3==%,$(PYTHON_CLIENTS)))
JAVASCRIPT_CLIENTS := @aws-sdk/client-sts@3.1169.0 @aws-sdk/credential-providers@3.1169.0

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 20

# Most tests wait for something most of the time: more of them at once than there are cores.
.PHONY: test
test: need lint clients ## format, lint, unit, end-to-end and real-client tests
	RUST_TEST_THREADS=8 IRSA_SIDECAR_TEST_CLIENTS="$(abspath $(CLIENTS))" $(CARGO) test --workspace --locked
	@if [ -e "$(CLIENTS)/terraform/.installed" ]; then IRSA_SIDECAR_TEST_CLIENTS="$(abspath $(CLIENTS))" \
	  $(CARGO) test --workspace --locked --test e2e -- --ignored terraform; fi

.PHONY: lint
lint: ## formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet

.PHONY: clients
clients: $(CLIENTS)/python/.installed $(CLIENTS)/javascript/.installed $(CLIENTS)/kubernetes/.installed
clients: $(CLIENTS)/kubectl/.installed $(CLIENTS)/terraform/.installed $(CLIENTS)/kubernetes-validate/.installed
clients: $(MATRIX)/python/boto3-1.9.199/.installed $(PYTHON_ROWS_THERE:%=$(MATRIX)/python/%/.installed)
clients: $(MATRIX)/javascript/.installed ## install the real clients that the tests use

$(CLIENTS)/python/.installed: Makefile
	python3 -m venv --clear "$(CLIENTS)/python"
	"$(CLIENTS)/python/bin/pip" install --quiet --disable-pip-version-check $(PYTHON_CLIENTS)
	touch "$@"

$(CLIENTS)/javascript/.installed: Makefile
	rm -rf "$(CLIENTS)/javascript" && mkdir -p "$(CLIENTS)/javascript"
	cd "$(CLIENTS)/javascript" && npm install --silent --no-audit --no-fund $(JAVASCRIPT_CLIENTS)
	touch "$@"

$(CLIENTS)/kubernetes/.installed: Makefile
	python3 -m venv --clear "$(CLIENTS)/kubernetes"
	"$(CLIENTS)/kubernetes/bin/pip" install --quiet --disable-pip-version-check $(KUBERNETES_CLIENT)
	touch "$@"

$(CLIENTS)/kubernetes-validate/.installed: Makefile
	python3 -m venv --clear "$(CLIENTS)/kubernetes-validate"
	"$(CLIENTS)/kubernetes-validate/bin/pip" install --quiet --disable-pip-version-check $(KUBERNETES_VALIDATE)
	touch "$@"

# A current kubectl beside whatever the machine has, where its Go is recent enough: four minutes of one core, once.
# Static, as pods run it in an image without anything.
$(CLIENTS)/kubectl/.installed: $(wildcard tests/clients/kubectl/*)
	@mkdir -p "$(CLIENTS)/kubectl"
	@if GOTOOLCHAIN=local go -C tests/clients/kubectl list -m >/dev/null 2>&1; then \
	  echo "building kubectl"; \
	  CGO_ENABLED=0 GOTOOLCHAIN=local go -C tests/clients/kubectl build -trimpath -ldflags='-s -w' -o "$(abspath $(CLIENTS))/kubectl/" . && \
	  touch "$@"; \
	else echo "no current kubectl is built: no go of the version in tests/clients/kubectl/go.mod"; fi

# Only where terraform is on the machine, and its provider to be had: from the registry, or from a mirror.
TERRAFORM_MIRROR ?= $(patsubst %/registry.terraform.io/hashicorp/aws,%,$(firstword $(wildcard /opt/*/registry.terraform.io/hashicorp/aws)))

$(CLIENTS)/terraform/.installed: tests/clients/terraform/main.tf
	@rm -rf "$(CLIENTS)/terraform" && mkdir -p "$(CLIENTS)/terraform" && cp tests/clients/terraform/main.tf "$(CLIENTS)/terraform/"
	@if ! command -v terraform >/dev/null; then :; \
	elif terraform -chdir="$(CLIENTS)/terraform" init -input=false -no-color $(if $(TERRAFORM_MIRROR),-plugin-dir="$(TERRAFORM_MIRROR)") >"$(CLIENTS)/terraform/init.log" 2>&1; then \
	  touch "$@"; \
	else echo "terraform is left out: its provider cannot be had (see $(CLIENTS)/terraform/init.log; TERRAFORM_MIRROR=DIR names a mirror)"; fi

.PHONY: clients-test clients-doc
clients-test: need-for-matrix $(MATRIX)/python/.installed ## every client of the matrix by every door; holds docs/clients.md to it
	IRSA_SIDECAR_TEST_CLIENTS="$(abspath $(CLIENTS))" $(CARGO) test --workspace --locked --test clients -- --ignored --nocapture

clients-doc: export CLIENTS_DOC := write
clients-doc: clients-test ## the same, and writes docs/clients.md

$(MATRIX)/python/.installed: $(PYTHON_ROWS:%=$(MATRIX)/python/%/.installed) $(PYTHON_ROWS_THERE:%=$(MATRIX)/python/%/.installed)
	touch "$@"

# Whatever is on the machine is not in the way of the pins.
$(MATRIX)/python/interpreter/.installed:
	python3 -m venv --clear "$(@D)"
	touch "$@"

# All pins, and nothing that they do not name.
$(PYTHON_ROWS:%=$(MATRIX)/python/%/.installed): $(MATRIX)/python/%/.installed: tests/clients/python/pins/%.txt | $(MATRIX)/python/interpreter/.installed
	rm -rf "$(@D)"
	"$(MATRIX)/python/interpreter/bin/pip" install --quiet --disable-pip-version-check --no-deps --target "$(@D)" --requirement "$<"
	touch "$@"

# The tests of the current ones have them already.
$(PYTHON_ROWS_THERE:%=$(MATRIX)/python/%/.installed): $(CLIENTS)/python/.installed | $(MATRIX)/python/interpreter/.installed
	rm -rf "$(@D)" && ln -s "$(abspath $(CLIENTS))"/python/lib/python3*/site-packages "$(@D)"
	touch "$@"

clients-test: $(MATRIX)/java/.installed $(MATRIX)/rust/.installed

# A profile of the project is a row; its class is compiled against its jars.
$(MATRIX)/java/.installed: $(wildcard tests/clients/java/*)
	@rm -rf "$(@D)" && mkdir -p "$(@D)"
	@set -e; cd tests/clients/java; to="$(abspath $(@D))"; \
	for row in $$(sed -n 's:.*<id>\(.*\)</id>.*:\1:p' pom.xml); do echo "installing $$row"; \
	  case $$row in hadoop-*) class=S3A;; *-v2-*) class=V2;; *) class=V1;; esac; \
	  mvn -B -q -Dstyle.color=never -P $$row dependency:copy-dependencies -DoutputDirectory="$$to/$$row/lib"; \
	  javac -d "$$to/$$row/classes" -cp "$$to/$$row/lib/*" Driver.java $$class.java; \
	done
	@touch "$@"

# A member of the workspace is a row, named after the crate that it tries.
$(MATRIX)/rust/.installed: $(shell find tests/clients/rust -type f)
	@mkdir -p "$(@D)"
	@set -e; to="$(abspath $(@D))"; cd tests/clients/rust; \
	$(CARGO) build --locked -j2 --target-dir "$$to/target"; \
	for client in */src/main.rs; do client="$${client%%/*}"; \
	  id=$$($(CARGO) pkgid --locked $$client); row="$$to/$$client-$${id##*[\#@]}"; \
	  mkdir -p "$$row"; ln -f "$$to/target/debug/$$client-driver" "$$row/driver"; \
	done
	@touch "$@"

clients-test: $(MATRIX)/javascript/.installed $(MATRIX)/go/.installed

# One tree of packages; each row is an alias in it. Without peers: those of the oldest are for React Native.
$(MATRIX)/javascript/.installed: tests/clients/javascript/package.json tests/clients/javascript/package-lock.json
	rm -rf "$(@D)" && mkdir -p "$(@D)" && cp $^ "$(@D)/"
	cd "$(@D)" && npm ci --loglevel=error --no-audit --no-fund --legacy-peer-deps --ignore-scripts --omit=optional
	cd "$(@D)" && ln -s node_modules/aws-sdk-js-* .
	touch "$@"

# A row's name is that of the package with its driver, and a version.
$(MATRIX)/go/.installed: $(wildcard tests/clients/go/*/*)
	rm -rf "$(@D)" && mkdir -p "$(@D)"
	for pins in tests/clients/go/rows/*.mod; do row=$$(basename "$$pins" .mod); \
	  CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS= go -C tests/clients/go build -p 2 -trimpath -ldflags='-s -w' \
	    -modfile="rows/$$row.mod" -o "$(abspath $(@D))/$$row/" "./$${row%-*}" || exit; done
	touch "$@"

# What `make pod-test` runs, too. Buildah has no daemon, and here it leaves nothing outside the target folder.
.PHONY: image need-for-image image-tools
image: image-tools ## the Dockerfile, built on a stand-in for its base, and checks of what came out; needs root on Debian
	tests/image/build.sh "$(TARGET)/image"
	IRSA_SIDECAR_TEST_IMAGE="$(abspath $(TARGET))/image/irsa-sidecar.tar" $(CARGO) test --workspace --locked --test image -- --include-ignored

need-for-image:
	@missing=; for tool in $(CARGO) cc apt-get dpkg-deb tar unshare sha256sum; do \
	  command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	[ "$$(id -u)" = 0 ] || missing="$$missing root"; \
	if [ -n "$$missing" ]; then echo "missing, needed to build the image:$$missing" >&2; exit 1; fi

image-tools: need-for-image ## install what builds and runs the image, where it is missing
	@command -v buildah >/dev/null && command -v runc >/dev/null || { \
	  install="apt-get install --quiet --quiet --yes --no-install-recommends buildah runc"; \
	  $$install || { apt-get update --quiet --quiet && $$install; }; }

# The sidecar in pods. The image is the one that `make image` wrote; the Kubernetes is built here, from its Go modules.
CLUSTER := $(TARGET)/cluster
.PHONY: pod-test need-for-pod-test pod-tools
pod-test: need-for-pod-test pod-tools image $(CLUSTER)/kubernetes $(CLIENTS)/kubectl/.installed $(MATRIX)/go/.installed
pod-test: ## the manifests and the image on a real Kubernetes, with real clients; needs root on Debian
	IRSA_SIDECAR_TEST_CLUSTER="$(abspath $(CLUSTER))" IRSA_SIDECAR_TEST_CLIENTS="$(abspath $(CLIENTS))" \
	  IRSA_SIDECAR_TEST_IMAGE="$(abspath $(TARGET))/image/irsa-sidecar.tar" \
	  $(CARGO) --config "target.'cfg(all())'.runner = 'tests/cluster/run'" test --workspace --locked --test cluster -- \
	  --ignored --test-threads=16 $(POD_TESTS)

# All components in one program. Neither optimized nor inlined: it is to be there soon, not to run fast. The compiler's own
# garbage is left alone until there is much of it.
KUBERNETES_VERSION := k8s.io/component-base/version
$(CLUSTER)/kubernetes: $(wildcard tests/cluster/kubernetes/*)
	@mkdir -p "$(CLUSTER)"
	@echo "building Kubernetes: about four minutes of two cores, once"
	@version=$$(sed -n 's:^\tk8s.io/kubernetes v::p' tests/cluster/kubernetes/go.mod); minor=$${version#*.}; \
	CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-buildvcs=false GOGC=off GOMEMLIMIT=3GiB go -C tests/cluster/kubernetes build -p 2 -trimpath \
	  -gcflags='all=-N -l' -ldflags="-s -w -X $(KUBERNETES_VERSION).gitVersion=v$$version \
	  -X $(KUBERNETES_VERSION).gitMajor=1 -X $(KUBERNETES_VERSION).gitMinor=$${minor%%.*}" -o "$(abspath $@)" .

need-for-pod-test: need-for-image
	@missing=; for tool in go ip mount nsenter setpriv unshare kill; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	GOTOOLCHAIN=local go -C tests/cluster/kubernetes list -m >/dev/null 2>&1 || missing="$$missing go-of-tests/cluster/kubernetes/go.mod"; \
	grep -q '^cgroup .*[ ,]memory[ ,]' /proc/mounts || missing="$$missing the-memory-controller-in-cgroup-v1"; \
	if [ -n "$$missing" ]; then echo "missing, needed by the tests of the pods:$$missing" >&2; exit 1; fi

pod-tools: need-for-pod-test ## install what runs the pods, where it is missing
	@command -v containerd >/dev/null && command -v runc >/dev/null && [ -e /usr/lib/cni/bridge ] && [ -e /bin/busybox ] && \
	  command -v wrk >/dev/null || { install="apt-get install --quiet --quiet --yes --no-install-recommends \
	    containerd runc containernetworking-plugins busybox-static wrk"; \
	  $$install || { apt-get update --quiet --quiet && $$install; }; }

# The alerts, by Prometheus' own parser and engine; a minute and a half of one core to build, half of that where kubectl was built.
.PHONY: alerts-test need-for-alerts
alerts-test: need-for-alerts $(CLIENTS)/kubectl/.installed $(CLIENTS)/judge/.installed ## the alerts of manifests/monitoring fire where they should and are quiet where not
	IRSA_SIDECAR_TEST_CLIENTS="$(abspath $(CLIENTS))" $(CARGO) test --workspace --locked --test e2e -- --ignored monitoring::

need-for-alerts: need
	@GOTOOLCHAIN=local go -C tests/e2e/monitoring/judge list -m >/dev/null 2>&1 || { \
	  echo "missing, needed by the tests of the alerts: go, of the version in tests/e2e/monitoring/judge/go.mod" >&2; exit 1; }

$(CLIENTS)/judge/.installed: $(wildcard tests/e2e/monitoring/judge/*)
	@mkdir -p "$(CLIENTS)/judge"
	GOTOOLCHAIN=local GOFLAGS=-buildvcs=false go -C tests/e2e/monitoring/judge build -p 2 -trimpath -ldflags='-s -w' -o "$(abspath $(CLIENTS))/judge/" .
	touch "$@"

# Named before anything is built: half an hour into a build is too late to learn that npm is missing.
.PHONY: need
need:
	@missing=; for tool in $(CARGO) cc python3 node npm prlimit unshare mount setpriv ip mkfifo kill; do \
	  command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	python3 -c 'import venv, ensurepip' 2>/dev/null || missing="$$missing python3-venv(and-pip)"; \
	command -v kubectl >/dev/null || command -v go >/dev/null || missing="$$missing kubectl(or-go-to-build-it)"; \
	if [ -n "$$missing" ]; then echo "missing, needed by the tests:$$missing" >&2; exit 1; fi

.PHONY: need-for-matrix
need-for-matrix: need
	@missing=; for tool in go java javac mvn; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -n "$$missing" ]; then echo "missing, needed by the matrix of clients:$$missing" >&2; exit 1; fi

.PHONY: demo
demo: ## the main job on the emulator, up to kubectl, until Ctrl-C; ONCE=1 goes through it once
	@$(CARGO) build --locked --package irsa-sidecar --package emulator --bins
	@"$(TARGET)/debug/emulator" demo --sidecar "$(TARGET)/debug/irsa-sidecar" $(if $(ONCE),--once)

# Two builds, and not `cargo bench` alone: that would build the program once more, with the features of the tests.
.PHONY: bench
bench: $(CLIENTS)/python/.installed ## the door beside bare hyper, get-token beside the AWS CLI; writes JSON
	$(CARGO) build --release --locked --package irsa-sidecar
	$(CARGO) bench --locked --package benches --bench door -- \
	  --sidecar "$(abspath $(TARGET))/release/irsa-sidecar" --json "$(abspath $(TARGET))/bench/door.json"
	$(CARGO) bench --locked --package benches --bench get_token -- \
	  --sidecar "$(abspath $(TARGET))/release/irsa-sidecar" --json "$(abspath $(TARGET))/bench/get-token.json" \
	  --aws "$(abspath $(CLIENTS))/python/bin/aws"

.PHONY: deny
deny: ## licences, bans, sources and duplicate versions (installs cargo-deny where it is missing)
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --all-features check licenses bans sources
