# make demo    sets everything up and runs the main job on sample_logs/support_desk/
# make test    sets up what is missing and passes every check
# make bench   timed comparisons with peers; minutes
# make fuzz    random input to every parser, SECONDS=3600 for an hour (Linux on x86-64)
# Any Python 3.11 to 3.13 will do; name one with `make demo PYTHON=/path/to/python3`.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadgroup

DEMO := sample_logs/support_desk --outcomes sample_logs/support_desk/outcomes.jsonl \
	--revenue sample_logs/support_desk/revenue.csv --prices sample_logs/support_desk/prices.csv --data demo_data

# A name on the PATH proves nothing (pyenv leaves shims that only print an error, Debian splits off ensurepip): try each.
FITS := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
FITS_FOCUS := import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 12))
CANDIDATES := python3.13 python3.12 python3.11 python3 python

.DELETE_ON_ERROR:
.PHONY: demo test bench fuzz constraints goldens clean

demo: $(VENV)/.core
	$(BIN)/tokenspread run $(DEMO) || test $$? -eq 6 # one model of the sample has no price, which the exit code tells

test: $(VENV)/.all $(VENV)/.focus
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(PYTEST)

bench: $(VENV)/.all
	@for bench in $(basename $(notdir $(wildcard benchmarks/bench_*.py))); do \
		echo "== $$bench"; $(BIN)/python -m benchmarks.$$bench || exit 1; \
	done

SECONDS := 600
fuzz: $(VENV)/.fuzz
	$(BIN)/python -m fuzz --seconds $(SECONDS)

# Rewrites the expected outputs from what the code says now; look at the diff before you commit it.
goldens: $(VENV)/.all
	$(BIN)/python -m pytest --update-goldens -m golden

# One list for Python 3.11 to 3.13 and every system, naming no registry.
constraints: $(VENV)/.created
	$(PIP) uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --output-file constraints.txt pyproject.toml

clean:
	rm -rf $(VENV) demo_data fuzz/work build dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/.created:
	@found=''; for candidate in $(or $(PYTHON),$(CANDIDATES)); do \
		if "$$candidate" -c '$(FITS)' >/dev/null 2>&1; then found="$$candidate"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "no usable Python found among: $(or $(PYTHON),$(CANDIDATES))." >&2; \
		echo "Python 3.11, 3.12 or 3.13 with venv and ensurepip is needed (on Debian: install python3-venv)," >&2; \
		echo "or name one: make PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	echo "setting up $(VENV) with $$("$$found" --version)"; \
	rm -rf $(VENV) && "$$found" -m venv $(VENV)
	@touch $@

$(VENV)/.core: $(VENV)/.created pyproject.toml constraints.txt
	@echo "installing tokenspread into $(VENV)"
	@$(PIP) -c constraints.txt -e .
	@touch $@

$(VENV)/.all: $(VENV)/.created pyproject.toml constraints.txt
	@echo "installing tokenspread with the extras dev, notebook and schedule into $(VENV)"
	@$(PIP) -c constraints.txt -e '.[dev,notebook,schedule]'
	@touch $@ $(VENV)/.core

# The validator of FOCUS wants packages of its own, on Python 3.12; without one its test is skipped, and says so.
$(VENV)/.focus: $(VENV)/.created tests/focus_requirements.txt
	@for candidate in $(PYTHON) python3.12 $(wildcard $(HOME)/.pyenv/versions/3.12*/bin/python) $(BIN)/python; do \
		if "$$candidate" -c '$(FITS_FOCUS)' >/dev/null 2>&1; then \
			echo "setting up $(VENV)/focus with $$("$$candidate" --version)"; \
			rm -rf $(VENV)/focus && "$$candidate" -m venv $(VENV)/focus && \
			$(VENV)/focus/bin/python -m pip install -qq --disable-pip-version-check -r tests/focus_requirements.txt \
			|| { echo "focus-validator cannot be installed: its test is skipped" >&2; rm -rf $(VENV)/focus; }; \
			break; \
		fi; \
	done
	@touch $@

$(VENV)/.fuzz: $(VENV)/.all
	@echo "installing the fuzzer into $(VENV)"
	@$(PIP) -c constraints.txt -e '.[fuzz]'
	@touch $@
