# Two commands do everything on a machine with Python 3.11+, pip and make:
#   make demo   train a spiking walker, break its legs, measure it, film it, report it
#   make test   the quick tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := runs/demo
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-slow check docs install clean

demo: $(VENV)/.installed
	@if [ -f $(RUN)/run.json ]; then $(BIN)/robolearn train --resume $(RUN); \
	else $(BIN)/robolearn train quickstart --out $(RUN); fi
	$(BIN)/robolearn evaluate $(RUN)
	$(BIN)/robolearn report $(RUN) --out $(RUN)/report.html
	$(BIN)/robolearn record $(RUN) --shift limb_damage:front_left:locked@5s --out $(RUN)/films/front_left_locked

test: $(VENV)/.developed
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: $(VENV)/.developed
	$(BIN)/python -m pytest -n 2 -m slow

check: $(VENV)/.developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/python -m pytest tests/test_import_direction.py

docs: $(VENV)/.documented
	$(BIN)/python docs/build.py

install: $(VENV)/.developed

# constraints.txt pins what was tested, torch to a release with a small CPU build.
$(VENV)/.installed: pyproject.toml constraints.txt
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	$(BIN)/python -m robolearn.recording.gl --install-if-needed
	touch $@

$(VENV)/.developed: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/.documented: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache build
