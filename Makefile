# The two commands a newcomer needs: `make demo` and `make test`. Everything else is for developers.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-all test-clients check format clean

$(BIN)/motet: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.test: $(BIN)/motet
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,check]'
	@touch $@

demo: $(BIN)/motet
	$(BIN)/motet run examples/demo.flac -o demo/talking_head.mp4 -o demo/talking_head.glb -o demo/curves.csv

test: $(VENV)/.test
	$(BIN)/python -m pytest -m "not slow and not clients and not weights"

test-all: $(VENV)/.test
	$(BIN)/python -m pytest -m "not clients and not weights"

test-clients: $(VENV)/.test
	sh tests/clients/install_clients.sh
	$(BIN)/python -m pytest -m clients tests/clients

check: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright

format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .venv-clients demo build dist *.egg-info
