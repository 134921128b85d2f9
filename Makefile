# make run   serves on the sample CRM        make test   everything that is checked
# make chaos tries every promise at length   make soak   an hour of mixed load     make bench   figures
# make docs  builds the site in build/site   make reference   the pages that are made out of the code

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
export PATH := $(PATH):$(abspath $(VENV))/debian/usr/bin
# end-to-end tests that run beside the promises, so that all three parts of `make test` take about as long
BESIDE := $(addprefix tests/e2e/test_,dialogue.py faults_in_a_dialogue.py fuzz.py oauth2_of_a_rest_crm.py probe.py snapshot.py)

# runs a command, and keeps what it says and its exit code under a name, for the end of `make test`
kept = @mkdir -p build/test; { ($(2)); echo $$? >build/test/$(1).code; } 2>&1 | tee build/test/$(1).log; \
	exit "$$(cat build/test/$(1).code)"

.PHONY: run test chaos at-length soak bench bench-quick bench-alone docs reference parts lint unit components end-to-end promises servers peers clean
.DEFAULT_GOAL := run

# else each start of the command compiles all its modules, and tests start it some hundred times
unexport PYTHONDONTWRITEBYTECODE

run: $(VENV)/run.stamp
	@$(BIN)/tanima demo $(if $(LISTEN),--listen $(LISTEN))

# three at once: most of those that start the command, those that try the promises and some more, and all others
# what has failed is told once more in the end: it stands somewhere in the middle of what the others say
test: $(VENV)/dev.stamp servers
	@rm -rf build/test
	@$(MAKE) --no-print-directory -j3 $(if $(filter output-sync,$(.FEATURES)),--output-sync=line) parts end-to-end promises \
		|| { code=$$?; sh tests/failed.sh build/test; exit $$code; }

# P1 to P20 with real servers and faults, ten to fifteen minutes; only some of them: make chaos ONLY="P1 P17"
chaos: $(VENV)/dev.stamp servers
	$(BIN)/python -m tests.chaos $(ONLY)

soak: $(VENV)/dev.stamp servers
	$(BIN)/python -m tests.chaos.soak --seconds $(or $(SECONDS),3600)

# tanima and its peers side by side, ten minutes, into build/bench; only some scenarios: make bench ONLY="hits misses"
bench: $(VENV)/bench.stamp servers peers
	$(BIN)/python -m tests.bench $(ONLY)

# that nothing is lost which makes calls cheap: counts, and no times
bench-quick: $(VENV)/dev.stamp servers
	$(BIN)/python -m pytest -q tests/bench

# tanima alone: lookups in large tables, snapshots, the open console
bench-alone: $(VENV)/dev.stamp servers
	$(BIN)/python tests/bench/lookup_by_sql.py
	$(BIN)/python tests/bench/memory.py
	$(BIN)/python tests/bench/console.py

# a link or an anchor that leads nowhere is an error
docs: $(VENV)/dev.stamp
	$(BIN)/mkdocs build --quiet --config-file docs/site/mkdocs.yml

reference: $(VENV)/dev.stamp
	PYTHONPATH=. $(BIN)/python docs/site/reference.py --write
	PYTHONPATH=. $(BIN)/python docs/site/recipes.py --write

# the tests of which `make test` tries a part (see tests/lengths.py), in their whole length
at-length: $(VENV)/dev.stamp servers
	AT_LENGTH=1 $(BIN)/python -m pytest tests/property tests/adapters/test_sql_cancelling.py \
		tests/adapters/test_sql_indexes.py tests/e2e/test_fuzz.py

lint: $(VENV)/dev.stamp
	$(call kept,lint,$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/mypy && $(BIN)/lint-imports --no-logo)

# the domain and the way of a call, every branch, from their unit tests alone
unit: $(VENV)/dev.stamp
	$(call kept,unit,$(BIN)/python -m pytest tests/unit -q --cov --cov-config=tests/unit/coverage.toml)

components: $(VENV)/dev.stamp
	$(call kept,components,$(BIN)/python -m pytest $(addprefix --ignore=tests/,unit e2e readme browser monitoring bench recipes))

end-to-end: $(VENV)/dev.stamp
	$(call kept,end-to-end,$(BIN)/python -m pytest tests/e2e tests/bench --ignore=tests/e2e/test_promises.py \
		$(addprefix --ignore=,$(BESIDE)))

promises: $(VENV)/dev.stamp
	$(call kept,promises,$(BIN)/python -m pytest tests/e2e/test_promises.py $(BESIDE) tests/readme tests/browser \
		tests/monitoring tests/recipes tests/e2e/test_logs_of_all_servers.py)

parts:
	@$(MAKE) --no-print-directory -j1 lint unit components

# what tests start themselves, and systemd's eye for units: as root Debian's packages, else what is there; caddy and
# prometheus are only unpacked: as services they would take ports of this machine
servers: $(VENV)/pip.stamp
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! { ls /usr/lib/postgresql/*/bin/initdb && \
		command -v mariadbd && ls /usr/lib/*/odbc/libtdsodbc.so /usr/lib/*/libodbc.so.2 && \
		command -v systemd-analyze && command -v nginx && command -v chromium && \
		command -v caddy && command -v prometheus && command -v promtool; } >/dev/null 2>&1; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-upgrade --no-install-recommends \
			postgresql mariadb-server tdsodbc libodbc2 systemd nginx chromium && \
		mkdir -p $(VENV)/debian && cd $(VENV)/debian && apt-get download -q caddy prometheus && \
		for package in *.deb; do dpkg -x $$package .; done && rm *.deb; \
	fi

# what `make bench` measures beside tanima, and with: only unpacked, too
peers: $(VENV)/pip.stamp
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! { command -v wrk && \
		{ command -v varnishd || [ -x $(VENV)/debian/usr/sbin/varnishd ]; }; } >/dev/null 2>&1; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-upgrade --no-install-recommends \
			gcc libc6-dev libedit2 && \
		mkdir -p $(VENV)/debian && cd $(VENV)/debian && apt-get download -q \
			wrk libluajit-5.1-2 libluajit-5.1-common varnish libvarnishapi3 libjemalloc2 && \
		for package in *.deb; do dpkg -x $$package .; done && rm *.deb; \
	fi

$(VENV)/pip.stamp:
	@echo "Setting up $(VENV); this takes a minute, once."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tanima needs Python 3.11 or later: make PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/run.stamp: $(VENV)/pip.stamp pyproject.toml .ci/constraints.txt
	@$(BIN)/pip install -q --disable-pip-version-check -c .ci/constraints.txt -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/pip.stamp pyproject.toml .ci/constraints.txt
	@$(BIN)/pip install -q --disable-pip-version-check 'pip>=25.1'
	@$(BIN)/pip install -q --disable-pip-version-check -c .ci/constraints.txt -e '.[mariadb,mssql,oracle,postgresql,testing,tracing]' --group dev
	@touch $@ $(VENV)/run.stamp

$(VENV)/bench.stamp: $(VENV)/dev.stamp
	@$(BIN)/pip install -q --disable-pip-version-check -c .ci/constraints.txt -e '.[speed]' --group bench
	@touch $@

clean:
	rm -rf $(VENV) build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
