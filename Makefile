# `make test`  the tests, those against real peers included (a missing peer is skipped with a reason)
# `make check` lint, types, docs, coverage, packaging
# `make bench` ratios against other libraries, in one run

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
CODE := smtpproto tests $(wildcard examples benchmarks docs)

# What the coverage floor is for: layers 0 to 3, reached from memory alone.
CORE := $(filter-out %/__main__.py smtpproto/stores.py smtpproto/host.py smtpproto/_crew.py,$(wildcard smtpproto/*.py)) \
        $(foreach folder,wire extensions sasl conversations,smtpproto/$(folder)/*)
comma := ,
empty :=
NO_CORE_TESTS := $(foreach folder,interop adapters cli process testing,--ignore=tests/$(folder)) \
                 --ignore=tests/test_packaging.py --ignore=tests/test_stores.py --ignore=tests/test_host.py

.PHONY: test check lint types docs coverage packaging bench format clean

test: $(VENV)/built
	$(PY) -m pytest

check: lint types docs coverage packaging

lint: $(VENV)/built
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(VENV)/built
	$(PY) -m mypy $(CODE)

# Pages and drawings that are made from the code must be what the code makes today.
docs: $(VENV)/built
	@for script in $(wildcard docs/make_*.py); do \
	    echo "$(PY) $$script --check"; $(PY) $$script --check || exit 1; done

coverage: $(VENV)/built
	$(PY) -m coverage run -m pytest -q $(NO_CORE_TESTS)
	$(PY) -m coverage report --fail-under=100 \
	    --include='$(subst $(empty) $(empty),$(comma),$(strip $(CORE)))'

packaging: $(VENV)/built
	$(PY) -m pytest -q tests/test_packaging.py

bench: $(VENV)/built
	@for script in $(wildcard benchmarks/*.py); do \
	    echo "== $$script"; $(PY) $$script || exit 1; done

format: $(VENV)/built
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

# The environment is laid again only when pyproject.toml says something new; a copy of it tells.
$(VENV)/built: pyproject.toml
	@$(PY) -c '' 2>/dev/null || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV); }
	@cmp -s pyproject.toml $@ || { \
	    $(PY) -m pip install --quiet --upgrade 'pip>=25.1' && \
	    $(PY) -m pip install --quiet --editable '.[trio,testing,idna,cli,dns]' --group dev; }
	@cp pyproject.toml $@

clean:
	rm -rf $(VENV) build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
