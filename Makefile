# What a developer types. CI calls nothing else. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
# Everything that is built or installed lies here; CARGO_TARGET_DIR moves it.
TARGET := $(or $(CARGO_TARGET_DIR),target)
CLIENTS := $(TARGET)/clients
CARGO ?= cargo

# The real clients. Pinned: a test must not change under us.
PYTHON_CLIENTS := awscli==1.46.3 boto3==1.43.67 aiobotocore==3.10.0
JAVASCRIPT_CLIENTS := @aws-sdk/client-sts@3.1169.0 @aws-sdk/credential-providers@3.1169.0

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 20

# Most tests wait for something most of the time: more of them at once than there are cores.
.PHONY: test
test: need lint clients ## format, lint, unit, end-to-end and real-client tests
	RUST_TEST_THREADS=8 IRSA_SIDECAR_TEST_CLIENTS="$(abspath $(CLIENTS))" $(CARGO) test --workspace --locked

.PHONY: lint
lint: ## formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet

.PHONY: clients
clients: $(CLIENTS)/python/.installed $(CLIENTS)/javascript/.installed ## install the real clients that the tests use

$(CLIENTS)/python/.installed: Makefile
	python3 -m venv --clear "$(CLIENTS)/python"
	"$(CLIENTS)/python/bin/pip" install --quiet --disable-pip-version-check $(PYTHON_CLIENTS)
	touch "$@"

$(CLIENTS)/javascript/.installed: Makefile
	rm -rf "$(CLIENTS)/javascript" && mkdir -p "$(CLIENTS)/javascript"
	cd "$(CLIENTS)/javascript" && npm install --silent --no-audit --no-fund $(JAVASCRIPT_CLIENTS)
	touch "$@"

# Named before anything is built: half an hour into a build is too late to learn that npm is missing.
.PHONY: need
need:
	@missing=; for tool in $(CARGO) cc python3 node npm prlimit unshare setpriv mkfifo kill; do \
	  command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	python3 -c 'import venv, ensurepip' 2>/dev/null || missing="$$missing python3-venv(and-pip)"; \
	if [ -n "$$missing" ]; then echo "missing, needed by the tests:$$missing" >&2; exit 1; fi

.PHONY: demo
demo: ## the main job on the emulator, until Ctrl-C; ONCE=1 goes through it once
	@$(CARGO) build --locked --package irsa-sidecar --package emulator --bins
	@"$(TARGET)/debug/emulator" demo --sidecar "$(TARGET)/debug/irsa-sidecar" $(if $(ONCE),--once)

# Two builds, and not `cargo bench` alone: that would build the sidecar once more, with the features of the tests.
.PHONY: bench
bench: ## requests per second, latency, memory, start and size, side by side; writes JSON
	$(CARGO) build --release --locked --package irsa-sidecar
	$(CARGO) bench --locked --package benches --bench door -- \
	  --sidecar "$(abspath $(TARGET))/release/irsa-sidecar" --json "$(abspath $(TARGET))/bench/door.json"

.PHONY: deny
deny: ## licences, bans, sources and duplicate versions (installs cargo-deny where it is missing)
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --all-features check licenses bans sources
