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
JAVASCRIPT_CLIENTS := @aws-sdk/client-sts@3.1169.0 @aws-sdk/credential-providers@3.1169.0

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 20

# Most tests wait for something most of the time: more of them at once than there are cores.
.PHONY: test
test: need lint clients ## format, lint, unit, end-to-end and real-client tests
	RUST_TEST_THREADS=8 IRSA_SIDECAR_TEST_CLIENTS="$(abspath $(CLIENTS))" $(CARGO) test --workspace --locked
	@if [ -e "$(CLIENTS)/terraform/.installed" ]; then IRSA_SIDECAR_TEST_CLIENTS="$(abspath $(CLIENTS))" \
	  $(CARGO) test --locked --test e2e -- --ignored terraform; fi

.PHONY: lint
lint: ## formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet

.PHONY: clients
clients: $(CLIENTS)/python/.installed $(CLIENTS)/javascript/.installed $(CLIENTS)/kubernetes/.installed
clients: $(CLIENTS)/kubectl/.installed $(CLIENTS)/terraform/.installed ## install the real clients that the tests use

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

# A current kubectl beside whatever the machine has, where its Go is recent enough: four minutes of one core, once.
$(CLIENTS)/kubectl/.installed: $(wildcard tests/clients/kubectl/*)
	@mkdir -p "$(CLIENTS)/kubectl"
	@if GOTOOLCHAIN=local go -C tests/clients/kubectl list -m >/dev/null 2>&1; then \
	  echo "building kubectl"; \
	  GOTOOLCHAIN=local go -C tests/clients/kubectl build -trimpath -ldflags='-s -w' -o "$(abspath $(CLIENTS))/kubectl/" . && \
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

# Named before anything is built: half an hour into a build is too late to learn that npm is missing.
.PHONY: need
need:
	@missing=; for tool in $(CARGO) cc python3 node npm prlimit unshare setpriv mkfifo kill; do \
	  command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	python3 -c 'import venv, ensurepip' 2>/dev/null || missing="$$missing python3-venv(and-pip)"; \
	command -v kubectl >/dev/null || command -v go >/dev/null || missing="$$missing kubectl(or-go-to-build-it)"; \
	if [ -n "$$missing" ]; then echo "missing, needed by the tests:$$missing" >&2; exit 1; fi

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
