# `make test`  the tests, those against real peers included (a missing peer is skipped with a reason)
# `make test-thorough` the same with more examples and larger inputs
# `make test-core` layers 0 to 3 and the adapters, as on every Python version that CI finds
# `make interop` the matrix of real clients and servers, which it writes to docs/interop.md
# `make check` lint, types, docs, site, coverage; `make packaging` is a part of `make test`
# `make site`  the pages of docs/ and the reference as HTML, in build/site
# `make links` asks other hosts whether the links of the pages lead to them
# `make bench` ratios against other libraries, in one run; `make bench-quick` takes a minute

PYTHON ?= python3
VENV := .venv
BENCH := .bench
PY := $(VENV)/bin/python
# What the environment holds beside the package: a dependency group of pyproject.toml.
GROUP := dev
# Many tests wait, so it takes four processes to fill two cores.
PYTEST := -m pytest -n 4
# pytest rewrites the asserts of all tests, which takes seconds: let it keep what it has made.
unexport PYTHONDONTWRITEBYTECODE
CODE := smtpproto _smtpproto_pytest.py tests $(wildcard examples benchmarks docs)

# What the coverage floor is for: layers 0 to 3, reached from memory alone.
CORE := errors.py limits.py grammar/* wire/* vocabulary/* extensions/* sasl/* engine/* conversations/*
comma := ,
empty :=
# Tests that reach no line of it, or (the properties, the fuzzing) none that others do not reach.
NO_CORE_TESTS := $(foreach folder,interop adapters cli process testing course relay docs typing \
                     properties fuzz,--ignore=tests/$(folder)) \
                 $(foreach name,packaging mailboxes examples readme mail_authentication dane_and_mta_sts \
                     docs doctests exports layers lazy_names,--ignore=tests/test_$(name).py)

# Programs, peers, pages and packages are the same on every Python version, or have no tests there.
ONE_VERSION := $(foreach folder,interop cli process docs relay course,--ignore=tests/$(folder)) \
               --ignore=tests/test_packaging.py

.PHONY: test test-thorough test-core interop check lint types docs site links coverage packaging \
        bench bench-quick format clean

test: $(VENV)/built
	$(PY) $(PYTEST)

test-thorough: $(VENV)/built
	HYPOTHESIS_PROFILE=thorough $(PY) $(PYTEST) --durations=10

test-core: $(VENV)/built
	$(PY) $(PYTEST) -q $(ONE_VERSION)

# The peers are what .ci/peers installs; a missing one is a row that says so.
interop: $(VENV)/built
	$(PY) -m tests.interop.matrix

check: lint types docs site coverage

lint: $(VENV)/built
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

types: $(VENV)/built
	$(PY) -m mypy $(CODE)

# Pages and drawings that are made from the code must be what the code makes today.
docs: $(VENV)/built
	@for script in $(wildcard docs/make_*.py); do \
	    echo "$(PY) $$script --check"; $(PY) $$script --check || exit 1; done

# A link to a page, a heading or a file that is not there is a warning, and warnings are errors.
site: $(VENV)/built
	$(PY) -m sphinx -b html -W --keep-going -q -E -a docs build/site

# Whether the addresses outside the project answer.
links: $(VENV)/built
	$(PY) -m sphinx -b linkcheck -q docs build/links

coverage: $(VENV)/built
	$(PY) -m coverage erase
	$(PY) -m coverage run $(PYTEST) -q $(NO_CORE_TESTS)
	$(PY) -m coverage combine -q
	$(PY) -m coverage report --fail-under=100 \
	    --include='$(subst $(empty) $(empty),$(comma),$(addprefix smtpproto/,$(CORE)))'

packaging: $(VENV)/built
	$(PY) -m pytest -q tests/test_packaging.py

# The peers have an environment of their own; benchmarks/RESULTS.md is written anew.
bench: $(BENCH)/built
	$(BENCH)/bin/python -m benchmarks

bench-quick: $(BENCH)/built
	$(BENCH)/bin/python -m benchmarks --quick

# Without npm, and without Postfix's smtp-source and smtp-sink, the rows with these peers are missing.
$(BENCH)/built: pyproject.toml
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BENCH)/bin/python -m pip install --quiet --editable '.[trio,bench]' --group bench
	if command -v npm >/dev/null; then npm install --silent --no-save --prefix $(BENCH)/node smtp-server@3.21.6; fi
	@touch $@

format: $(VENV)/built
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

# The environment is laid again only when pyproject.toml says something new; a copy of it tells.
$(VENV)/built: pyproject.toml
	@$(PY) -c '' 2>/dev/null || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV); }
	@cmp -s pyproject.toml $@ || { \
	    $(PY) -m pip install --quiet --upgrade 'pip>=25.1' && \
	    $(PY) -m pip install --quiet --editable '.[trio,testing,idna,cli,dns,mailauth]' --group $(GROUP); }
	@cp pyproject.toml $@

clean:
	rm -rf $(VENV) $(BENCH) build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
