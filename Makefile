# drupe: build, show, test. `make help` lists the targets. Everything that is made here can be made again:
# target/ (Rust), .venv (the demo's and the tests' Python), .venvs/ (one for each Python of this machine), .cache/.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

CARGO ?= cargo
PREFIX ?= $(HOME)/.local
# The Python that .venv is made from; by default the machine's own, where it will do.
PYTHON ?=

# How it is built: `release`, or `quick`, which is linked in a fraction of the time.
PROFILE ?= release
BUILT := target/$(PROFILE)

BIN := $(BUILT)/drupe
# What the tests drive.
export DRUPE := $(CURDIR)/$(BIN)
CORE := python/drupe/_drupe.abi3.so
VENV := .venv
TOOLS := .cache/tools
BROWSER := $(or $(DRUPE_BROWSER),$(shell command -v chromium || command -v chromium-browser || command -v google-chrome))
PIP := -m pip install --quiet --disable-pip-version-check
PY_SOURCES := python tests benches examples packaging docs/site.py
WHEEL := .cache/wheel

ifeq ($(shell uname -s),Darwin)
CDYLIB := $(BUILT)/lib_drupe.dylib
else
CDYLIB := $(BUILT)/lib_drupe.so
endif

.PHONY: help build venv kernelspec demo tour lab test test-venvs newer-pythons test-rust test-python test-soak check bench places bench-smoke hazards notebooks \
  suite-bench origins crowd soak races fuzz install uninstall wheel wheel-again dist-check test-wheel lock docs lint-release clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- build --------------------------------------------------------------------------------------------------------

build: ## Build the command and the core (PROFILE=quick: in a fraction of the time)
	$(CARGO) build --profile $(PROFILE) --workspace --locked
	@cp $(CDYLIB) $(CORE).new && mv -f $(CORE).new $(CORE)   # never a half-written core under a kernel that starts

install: build ## Install into PREFIX (default ~/.local): bin/drupe and lib/drupe
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/lib/drupe"
	rm -rf "$(DESTDIR)$(PREFIX)/lib/drupe/drupe.new"
	cp -R python/drupe "$(DESTDIR)$(PREFIX)/lib/drupe/drupe.new"
	find "$(DESTDIR)$(PREFIX)/lib/drupe/drupe.new" -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf "$(DESTDIR)$(PREFIX)/lib/drupe/drupe"
	mv "$(DESTDIR)$(PREFIX)/lib/drupe/drupe.new" "$(DESTDIR)$(PREFIX)/lib/drupe/drupe"
	for program in drupe drupe-lsp; do \
	  install -m 755 "$(BUILT)/$$program" "$(DESTDIR)$(PREFIX)/bin/$$program.new"; \
	  mv -f "$(DESTDIR)$(PREFIX)/bin/$$program.new" "$(DESTDIR)$(PREFIX)/bin/$$program"; \
	done
	@echo "Installed $(PREFIX)/bin/drupe; now: drupe install --user --python /path/to/env/bin/python"

uninstall: ## Remove what `make install` installed
	rm -rf "$(DESTDIR)$(PREFIX)/lib/drupe" "$(DESTDIR)$(PREFIX)/bin/drupe" "$(DESTDIR)$(PREFIX)/bin/drupe-lsp"

# --- environments: a stamp file says that an environment was filled from a lock ------------------------------------

# uv fills an environment in seconds where pip takes minutes; pip reaches an index that only its own settings name.
fill = $(TOOLS)/bin/uv pip install --quiet --compile-bytecode --python $(1)/bin/python -r $(2) \
  || $(1)/bin/python $(PIP) -r $(2)
python = $$([ -n "$(PYTHON)" ] && echo "$(PYTHON)" || python3 tests/pythons.py --best)

venv: $(VENV)/.demo ## Make .venv with what the demo needs, locked

$(TOOLS)/.tools: requirements/tools.txt
	"$(python)" -m venv --clear $(TOOLS)
	$(TOOLS)/bin/python $(PIP) -r $< && touch $@

$(VENV)/bin/python:
	"$(python)" -m venv --clear $(VENV)

$(addprefix $(VENV)/.,demo test bench lab browser hazards suites): $(VENV)/.%: requirements/%.txt | $(TOOLS)/.tools $(VENV)/bin/python
	$(call fill,$(VENV),$<)
	@touch $@

.cache/parity/.filled: requirements/parity.txt | $(TOOLS)/.tools $(VENV)/bin/python
	$(VENV)/bin/python -m venv --clear .cache/parity
	$(call fill,.cache/parity,$<)
	@touch $@

# The notebooks of others run in the same environment, with what they need beside it.
.cache/parity/.notebooks: requirements/notebooks.txt .cache/parity/.filled | $(TOOLS)/.tools
	$(call fill,.cache/parity,$<)
	@touch $@

.cache/toolkits/.filled: requirements/toolkits.txt | $(TOOLS)/.tools $(VENV)/bin/python
	$(VENV)/bin/python -m venv --clear .cache/toolkits
	$(call fill,.cache/toolkits,$<)
	@touch $@

# The library that Visual Studio Code's language clients are made of.
.cache/vscode/.filled: tests/editors/vscode/package.json tests/editors/vscode/package-lock.json
	mkdir -p $(@D) && cp $^ $(@D)/
	if command -v npm >/dev/null; then cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; fi
	@touch $@

.cache/places/.filled: requirements/places.txt | $(TOOLS)/.tools $(VENV)/bin/python
	$(VENV)/bin/python -m venv --clear .cache/places
	$(call fill,.cache/places,$<)
	@touch $@

# An environment in the folder $(2) for each line "NAME PATH" that $(1) prints.
define environments
	@$(1) | while read -r name python; do \
	  venv=$(2)/$$name; \
	  if [ ! -e $$venv/.hazards ] || [ requirements/hazards.txt -nt $$venv/.hazards ]; then \
	    echo "filling $$venv ($$python)"; \
	    [ -x $$venv/bin/python ] || "$$python" -m venv --clear $$venv; \
	    $(call fill,$$venv,requirements/hazards.txt); \
	    touch $$venv/.hazards; \
	  fi; \
	done
endef

test-venvs: $(TOOLS)/.tools requirements/hazards.txt ## Make .venvs/NAME for each Python of this machine
	$(call environments,python3 tests/pythons.py,.venvs)

newer-pythons: $(TOOLS)/.tools requirements/hazards.txt ## Bring CPython 3.14 and 3.15 in a root of Debian unstable (as root; mmdebstrap)
	$(call environments,python3 tests/newer/root.py,.cache/newer-pythons)

# --- show ---------------------------------------------------------------------------------------------------------

kernelspec: build venv
	$(BIN) install --sys-prefix --python $(VENV)/bin/python --replace

demo: ## Build, install into .venv, run examples/tour.ipynb through nbclient, and show it all with its times
	@for part in build venv kernelspec tour; do \
	  SECONDS=0; $(MAKE) --no-print-directory $$part; echo "::: make $$part: $$SECONDS s"; \
	done

tour:
	@$(VENV)/bin/python examples/run_tour.py $(ARGS)

lab: kernelspec $(VENV)/.lab ## Open JupyterLab with drupe as the default kernel
	$(VENV)/bin/jupyter lab --MappingKernelManager.default_kernel_name=drupe --notebook-dir=examples $(ARGS)

# --- test ---------------------------------------------------------------------------------------------------------

test: test-rust test-python test-soak ## Run every test, on every Python that this machine has

test-rust: build $(VENV)/.test test-venvs
	$(CARGO) test --profile quick --workspace --exclude drupe-python --locked

# One pytest for each folder, since each has a conftest of its own. Most of a test is waiting, so two of them share the processors;
# but for the hazards, which do so themselves. BESIDE: what else is to be played with them.
SUITES := $(patsubst tests/%/,%,$(sort $(dir $(wildcard tests/*/test_*.py))))
BESIDE ?=
test-python: .cache/vscode/.filled .cache/toolkits/.filled kernelspec $(VENV)/.test $(VENV)/.suites $(VENV)/.browser test-venvs .cache/parity/.notebooks
	$(MAKE) --no-print-directory --keep-going --output-sync=target -j 2 \
	  $(BESIDE) $(addprefix suite-,$(filter-out hazards,$(SUITES))) suite-bench
	$(MAKE) --no-print-directory suite-hazards

suite-bench:
	$(VENV)/bin/python benches/run.py --smoke

suite-%:
	@if [ $* = browser ] && [ -z "$(BROWSER)" ]; then \
	  echo "tests/$* is left out: there is no chromium and no google-chrome"; \
	elif [ $* = editors ] && ! { command -v nvim && command -v npm; } >/dev/null; then \
	  echo "tests/$* is left out: there is no nvim or no npm"; \
	else \
	  SECONDS=0; echo "::: tests/$*"; $(VENV)/bin/python -m pytest -q tests/$*; echo "::: tests/$*: $$SECONDS s"; \
	fi

# The same draws each time; `make soak` and `make races` play others.
test-soak:
	@$(MAKE) --no-print-directory soak N=200 SCENES=60 ARGS='--seed 1 --jobs 3'
	@$(MAKE) --no-print-directory races N=20 ARGS='--seed 1 --jobs 2'

check: $(TOOLS)/.tools $(VENV)/.test ## Formatting, lints and types, warnings as errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(TOOLS)/bin/ruff check $(PY_SOURCES)
	$(TOOLS)/bin/ruff format --check $(PY_SOURCES)
	$(TOOLS)/bin/mypy

notebooks: build $(VENV)/.test .cache/parity/.notebooks ## Run notebooks that others wrote on ipykernel and on drupe, and compare
	$(VENV)/bin/python tests/notebooks/run.py $(ARGS)

crowd: build $(VENV)/.test ## A minute among strangers on all sockets, random, slow and hostile, with its figures
	DRUPE_TEST_CROWD_SECONDS=60 $(CARGO) test --profile quick --locked --test crowd -- --nocapture

hazards: build $(VENV)/.bench $(VENV)/.hazards ## Play the shutdown hazards on each kernel and print the table
	$(VENV)/bin/python tests/hazards/run.py $(ARGS)

origins: build $(VENV)/.test test-venvs ## Play the failures that drupe began with N times each, on every Python, under load (N=200)
	$(VENV)/bin/python tests/hazards/run.py --kernel drupe --origins --times $(N) --jobs 4 --load 2 \
	  $$(printf -- '--python %s ' .venvs/3*/bin/python) $(ARGS)

N ?= 200
# Pairs of states: all of them on three Pythons, or SCENES scenes, spread over these.
SCENES ?=
soak: build $(VENV)/.test test-venvs ## Shut down N times at random moments, on every Python (N=200), and every pair of states once
	$(VENV)/bin/python tests/soak/soak.py $(N) $$(printf -- '--python %s ' .venvs/*/bin/python) $(ARGS)
	$(VENV)/bin/python tests/soak/pairs.py $(if $(SCENES),--scenes $(SCENES)) $$(ls -d .venvs/*/bin/python | head -3 | sed 's/^/--python /')

races: build $(VENV)/.test test-venvs ## Ask for a language server N times before, at and after the end (N=200)
	$(VENV)/bin/python tests/soak/lsp_races.py $(N) $$(printf -- '--python %s ' .venvs/*/bin/python) $(ARGS)

bench: kernelspec $(VENV)/.bench ## Measure drupe beside the other Python kernels (an hour), and write docs/bench.md; ARGS='--only print'
	$(CARGO) build --profile $(PROFILE) --example floor --locked
	$(VENV)/bin/python benches/run.py $(or $(ARGS),--write)
	$(VENV)/bin/python benches/facade.py
	$(VENV)/bin/python benches/language_server.py

# Positron's server is measured where POSITRON names the folder of its positron_lsp.py.
places: build .cache/places/.filled ## Drive drupe's and other language servers through the same 60 places, and write docs/language-server-places.md
	.cache/places/bin/python benches/places.py $(or $(ARGS),--write) $(if $(POSITRON),--positron $(POSITRON))

bench-smoke: kernelspec $(VENV)/.test ## A taste of each row with drupe alone: that all of it came, not how soon
	@$(MAKE) --no-print-directory suite-bench

# Built by the stable compiler, see fuzz/.cargo/config.toml; a run that finds something leaves it in fuzz/artifacts.
SECONDS_EACH ?= 60
define FUZZ
mkdir -p corpus/@ artifacts/@
$(CARGO) run --quiet --release --locked --bin @ -- -max_total_time=$(SECONDS_EACH) -timeout=10 \
  -artifact_prefix=artifacts/@/ corpus/@ $$(ls -d seeds/@ 2>/dev/null) >artifacts/@/log 2>&1 \
  || { cat artifacts/@/log; exit 255; }
echo "@: $$(grep Done artifacts/@/log)"
endef
export FUZZ
fuzz: ## Fuzz each reader of hostile bytes for SECONDS_EACH (60), as many at once as there are processors
	cd fuzz && $(CARGO) build --release --locked
	@cd fuzz && basename -s .rs fuzz_targets/*.rs | xargs -P "$$(getconf _NPROCESSORS_ONLN)" -I @ $(SHELL) -c "$$FUZZ"

# --- ship ---------------------------------------------------------------------------------------------------------

$(WHEEL)/.tools: requirements/wheel.txt | $(TOOLS)/.tools
	"$(python)" -m venv --clear $(WHEEL)
	$(call fill,$(WHEEL),$<)
	@touch $@

wheel: $(WHEEL)/.tools ## Build dist/drupe-*.whl, for every Linux with glibc 2.17 or newer, and the sdist
	$(WHEEL)/bin/python packaging/backend.py dist

wheel-again: $(WHEEL)/.tools ## Build the wheel once more, from a clone in another place, and compare: every byte is the same
	rm -rf .cache/again && git clone --quiet --no-local . .cache/again
	cd .cache/again && ../../$(WHEEL)/bin/python packaging/backend.py dist
	cd .cache/again && sha256sum dist/* | (cd ../.. && sha256sum --check)

dist-check: $(WHEEL)/.tools ## Check what dist/ holds: contents, sizes, symbols, metadata, the stable ABI
	$(WHEEL)/bin/python packaging/check.py dist

test-wheel: $(VENV)/.test ## Install the wheel in dist/ by pip and uv for every Python (DRUPE_TEST_WHEEL_PYTHONS='oldest newest'), and play it
	$(VENV)/bin/python -m pytest -q packaging/tests $(ARGS)

# --- keep ---------------------------------------------------------------------------------------------------------

# Each lock is for all of CPython 3.10 to 3.15, that of the libraries from 3.11 on; the smaller ones take their versions from the tests'.
UV := $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.10 --no-header --no-annotate
lock: $(TOOLS)/.tools ## Renew requirements/*.txt from requirements/*.in
	cd requirements && for lock in test tools docs release; do ../$(UV) --upgrade $$lock.in -o $$lock.txt; done
	cd requirements && ../$(subst 3.10,3.11,$(UV)) --upgrade -c test.txt parity.in -o parity.txt
	cd requirements && ../$(subst 3.10,3.11,$(UV)) --upgrade wheel.in -o wheel.txt
	cd requirements && ../$(subst 3.10,3.11,$(UV)) --upgrade -c parity.txt notebooks.in -o notebooks.txt
	cd requirements && ../$(subst 3.10,3.11,$(UV)) --upgrade -c parity.txt places.in -o places.txt
	cd requirements && for lock in runtime demo lab bench browser hazards suites toolkits; do ../$(UV) --upgrade -c test.txt $$lock.in -o $$lock.txt; done

# Environments of their own, since they share nothing with the kernel's.
.cache/docs/.filled .cache/release/.filled: .cache/%/.filled: requirements/%.txt | $(TOOLS)/.tools
	"$(python)" -m venv --clear $(@D)
	$(call fill,$(@D),$<)
	@touch $@

docs: .cache/docs/.filled ## Build the documentation's site into .cache/site; a link that leads nowhere is an error
	NO_MKDOCS_2_WARNING=1 .cache/docs/bin/mkdocs build --strict
	@echo "Built .cache/site/index.html"

lint-release: .cache/release/.filled ## Check the workflows and the conda recipe
	.cache/release/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.cache/release/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	.cache/release/bin/zizmor --offline --no-progress .github
	if command -v actionlint >/dev/null; then actionlint; fi
	.cache/release/bin/python packaging/conda/check.py

clean: ## Remove everything that was made
	rm -rf target $(VENV) .venvs .cache dist THIRD-PARTY-LICENSES.txt $(CORE)
