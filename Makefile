# Everything a developer does. Nothing has to be installed by hand first: each target sets up .venv as it needs.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
FUZZ_STAMP := $(VENV)/installed-fuzz
SHARP := perf/peers/sharp
THUMBOR_VENV := .venv-thumbor
PACKAGES := omnishotd ipc stages control
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check --no-input

# python3 where it is new enough, else the newest that is there. PYTHON=/path/to/python chooses another.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for candidate in python3 python3.15 python3.14 python3.13 python3.12 python3.11; do \
	$$candidate -c '$(NEW_ENOUGH)' 2>/dev/null && { command -v $$candidate; break; }; done)

SEED ?= 1
SECONDS ?= 120
FRAMES ?= 100000
TARGET ?= probe

.DEFAULT_GOAL := help
.PHONY: help setup demo run test check fix bench bench-check bench-operators bench-kernels bench-peers contact-sheet chaos soak fuzz protocol requirements \
	install-service uninstall-service clean programs peer-programs

# Installs Debian's packages $$missing, or says who needs them.
define install_missing
install="apt-get install --yes --no-install-recommends$$missing"; \
	if ! command -v apt-get >/dev/null; then \
		echo "$$who: missing are$$missing; install them as your system does" >&2; false; \
	elif [ "$$(id -u)" = 0 ]; then \
		echo "Installing$$missing"; apt-get update --quiet=2 && DEBIAN_FRONTEND=noninteractive $$install --quiet=2 >/dev/null; \
	elif sudo --non-interactive true 2>/dev/null; then \
		echo "Installing$$missing"; sudo apt-get update --quiet=2 && sudo DEBIAN_FRONTEND=noninteractive $$install --quiet=2 >/dev/null; \
	else \
		echo "$$who: missing are$$missing; run: sudo $$install" >&2; false; \
	fi
endef

help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## Install into .venv all that is needed

demo: $(STAMP) ## Process photographs with a daemon of its own; the results lie in demo-pictures
	@$(BIN)/omnishotd demo --out demo-pictures

run: $(STAMP) ## Run the daemon in the foreground
	@exec $(BIN)/omnishotd serve

test: $(STAMP) programs ## Run all tests, those with daemons beside the others
	@$(BIN)/python -m pytest --numprocesses 2

check: $(STAMP) ## Check style, types and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/python -m pytest --quiet tests/test_layering.py

fix: $(STAMP) ## Repair what can be repaired of style
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(STAMP) ## Measure in a quarter of an hour: tables, perf/results/latest.json and its picture
	@$(BIN)/python -m perf

bench-check: $(STAMP) ## See in three minutes what got slower since perf/results/kept.json, by ratios
	@$(BIN)/python -m perf.check

contact-sheet: $(STAMP) ## Show every operation and format on one photograph, in contact-sheet.png
	@$(BIN)/python -m perf.contact_sheet --out contact-sheet.png

bench-operators: $(STAMP) ## Measure what operators cost the frames
	@$(BIN)/python -m perf.operated

bench-kernels: $(STAMP) ## Measure each operation and format beside libvips and Pillow, and five outputs of one request
	@$(BIN)/python -m perf.kernels
	@$(BIN)/python -m perf.outputs

bench-peers: $(STAMP) peer-programs ## Install whom the benchmark measures beside omnishotd: sharp, GStreamer, thumbor
	@$(MAKE) --silent --no-print-directory --keep-going $(SHARP)/node_modules/installed $(THUMBOR_VENV)/installed || true
	@$(BIN)/python -m perf.peers

chaos: $(STAMP) ## Kill and stop processes all the time, and account for every frame; SEED=1 SECONDS=120
	@$(BIN)/python -m tests.chaos --seed $(SEED) --seconds $(SECONDS)

soak: $(STAMP) ## See whether many frames leave a trace in memory; FRAMES=100000
	@$(BIN)/python -m tests.chaos.soak --frames $(FRAMES)

fuzz: $(FUZZ_STAMP) ## Give changed files to a part of omnishotd until one fails; TARGET=probe or decode, SECONDS=120
	@$(BIN)/python -m tests.fuzz $(TARGET) --seconds $(SECONDS)

protocol: $(STAMP) ## Write the tables of PROTOCOL.md anew, of the operations and formats that there are
	@$(BIN)/python -m stages.reference PROTOCOL.md

requirements: $(STAMP) ## Pin the newest versions that fit, with their hashes
	@$(PIP) install uv
	@cd requirements && pin="../$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
			--fork-strategy fewest --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate"; \
		$$pin ../pyproject.toml dev.in --output-file dev.txt && \
		$$pin --constraint dev.txt ../pyproject.toml --output-file daemon.txt && \
		$$pin --no-deps photographs.in --output-file photographs.txt && \
		$$pin fuzz.in --output-file fuzz.txt && \
		$$pin thumbor.in --output-file thumbor.txt

install-service: ## Install omnishotd as a system service, or bring it up to date; as root
	@systemd/service.sh install $(PYTHON)

uninstall-service: ## Take the system service away; its configuration stays
	@systemd/service.sh uninstall

clean: ## Remove all that was made here, .venv too
	rm -rf $(VENV) $(THUMBOR_VENV) $(SHARP)/node_modules build dist demo-pictures contact-sheet.png .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(PACKAGES) tests perf -name __pycache__ -prune -exec rm -rf {} +

# Versions and hashes are pinned; our own package is built with the pinned hatchling, so that nothing else is fetched.
# Of scikit-image only the photographs among its data are used: its dependencies are left out.
$(STAMP): requirements/dev.txt requirements/photographs.txt pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV)"
	@$(PIP) install --require-hashes --requirement requirements/dev.txt
	@$(PIP) install --require-hashes --no-deps --requirement requirements/photographs.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(FUZZ_STAMP): requirements/fuzz.txt $(STAMP)
	@$(PIP) install --require-hashes --no-deps --only-binary :all: --requirement requirements/fuzz.txt
	@touch $@

# Peers of the benchmark. What cannot be had is left out of it: none of them is needed for anything else.
$(SHARP)/node_modules/installed: $(SHARP)/package-lock.json
	@command -v npm >/dev/null || { echo "sharp needs Node 20.9 or newer, with npm: install it as your system does" >&2; exit 1; }
	@echo "Installing sharp"
	@cd $(SHARP) && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

# One of its packages has no wheel: pip fetches setuptools to make one.
$(THUMBOR_VENV)/installed: requirements/thumbor.txt | $(BIN)/python
	@echo "Installing thumbor into $(THUMBOR_VENV)"
	@$(BIN)/python -m venv --clear $(THUMBOR_VENV)
	@$(subst $(BIN),$(THUMBOR_VENV)/bin,$(PIP)) install --require-hashes --no-deps --requirement requirements/thumbor.txt
	@touch $@

peer-programs:
	@/usr/bin/python3 -c 'import gi; gi.require_version("GstApp", "1.0"); from gi.repository import Gst; Gst.init(None); \
		exit(not all(map(Gst.ElementFactory.find, ("appsrc", "jpegdec", "videoscale", "videocrop"))))' 2>/dev/null || { \
		missing=" python3-gi gir1.2-gstreamer-1.0 gir1.2-gst-plugins-base-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good"; \
		who="GStreamer"; $(install_missing); } || true

# Programs that tests use as their users do: the page is looked at in a browser, alerts are sent over TLS, the service is
# run by a systemd of its own.
programs:
	@missing=""; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	command -v openssl >/dev/null || missing="$$missing openssl"; \
	command -v systemd-analyze >/dev/null || missing="$$missing systemd"; \
	command -v kill >/dev/null && command -v ps >/dev/null || missing="$$missing procps"; \
	[ -n "$$missing" ] || exit 0; \
	who="The tests"; $(install_missing)

# Debian's python3 comes without ensurepip, which the venv module needs: the package python3-venv brings it.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c '$(NEW_ENOUGH)' || { echo "$(PYTHON) is older than Python 3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		install="apt-get install --yes python3-venv"; \
		if ! command -v apt-get >/dev/null; then \
			echo "$(PYTHON) has no ensurepip: install your system's package of Python's venv" >&2; exit 1; \
		elif [ "$$(id -u)" = 0 ]; then \
			echo "Installing python3-venv"; apt-get update --quiet=2 && DEBIAN_FRONTEND=noninteractive $$install --quiet=2; \
		elif sudo --non-interactive true 2>/dev/null; then \
			echo "Installing python3-venv"; sudo apt-get update --quiet=2 && sudo $$install --quiet=2; \
		else \
			echo "$(PYTHON) has no ensurepip; run: sudo $$install" >&2; exit 1; \
		fi; }
	@$(PYTHON) -m venv --clear $(VENV)
