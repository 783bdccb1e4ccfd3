# The two commands a newcomer needs: `make demo` and `make test`. Everything else is for developers.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

PIP := -m pip install --disable-pip-version-check --constraint constraints.txt

.PHONY: demo docs pages test test-all test-clients test-page page check-page check format clean

$(BIN)/motet: pyproject.toml constraints.txt
	@echo "Setting up $(CURDIR)/$(VENV): about 1.5 GB, one to five minutes."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --progress-bar off --editable . | sed -n 's/^Collecting \([A-Za-z0-9._-]*\).*/  \1/p'
	@test -x $@
	@touch $@

$(VENV)/.test: $(BIN)/motet
	$(BIN)/python $(PIP) --quiet --editable '.[test,check,docs]'
	@touch $@

demo: $(BIN)/motet
	$(BIN)/motet run examples/demo.flac -o out/demo/talking_head.mp4 -o out/demo/talking_head.glb -o out/demo/curves.csv
	@echo
	@echo "Done: 7.1 s of speech became"
	@echo "  $(CURDIR)/out/demo/talking_head.mp4   video with sound: any player"
	@echo "  $(CURDIR)/out/demo/talking_head.glb   animated figure: Blender, or any glTF viewer"
	@echo "  $(CURDIR)/out/demo/curves.csv         52 curves and head angles: Live Link Face"
	@echo "Next:  . $(VENV)/bin/activate && motet run YOUR_RECORDING -o out/yours.mp4"

docs: $(VENV)/.test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir out/site
	@echo "Open $(CURDIR)/out/site/index.html, or run  $(BIN)/mkdocs serve"

# The parts of docs/*.md that are generated from the code.
pages: $(VENV)/.test
	$(BIN)/python docs/hooks.py

# One process a processor, a test file to each: what a module shares is made once.
PARALLEL := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile

test: $(VENV)/.test
	$(PARALLEL) -m "not slow and not clients and not weights"

test-all: $(VENV)/.test
	$(PARALLEL) -m "not clients and not weights"

test-clients: $(VENV)/.test
	sh tests/clients/install_clients.sh
	$(BIN)/python -m pytest -m clients tests/clients

# The studio's page: `src/motet/serve/page` is built from `studio/`. Needs Node 20 or newer.
studio/node_modules: studio/package-lock.json
	cd studio && npm ci --no-audit --no-fund
	@touch $@

page: studio/node_modules
	cd studio && npm run --silent build

check-page: studio/node_modules
	cd studio && npm run --silent check && npm test --silent && npm run --silent same

# In Chromium (`CHROMIUM=/path/to/chromium` when it is not on the PATH), against `motet serve`.
test-page: studio/node_modules $(VENV)/.test
	cd studio && PYTHON=$(CURDIR)/$(BIN)/python npm run --silent test:page

check: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright

format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .venv-clients out build dist *.egg-info
