# The one list of commands. `make help` shows it; each target sets up what it needs.
# PYTHON=python3.13 uses another Python, in a virtual environment of its own.

PYTHON ?= python3.11
VENV := $(if $(filter python3.11,$(PYTHON)),.venv,.venv-$(PYTHON))
BIN := $(VENV)/bin
# pyenv's shim fails for a version that is installed but not chosen: ask its folder too
INTERPRETER = $(or $(shell $(PYTHON) -c 'import sys; print(sys.executable)' 2>/dev/null),$(lastword \
  $(sort $(wildcard $(HOME)/.pyenv/versions/$(PYTHON:python%=%).*/bin/$(PYTHON)))))
PIPENV_VERSION := 2026.10.3
AWSEBCLI_VERSION := 3.27.5

# MODELS=churn trains and serves one; the default is every file of scoring/models.
comma := ,
FOUND := $(filter-out __init__,$(basename $(notdir $(wildcard web-service/scoring/models/*.py))))
SERVED := $(if $(MODELS),$(subst $(comma), ,$(MODELS)),$(FOUND))
MLFLOW_PORT ?= 5000
FUZZ_SECONDS ?= 600
MODELS_DIR ?= $(CURDIR)/models
export MODELS_DIR

# -n: as many processes as CPUs; the slow tests mostly wait for a server
PYTEST := $(BIN)/python -m pytest -n auto

.DEFAULT_GOAL := help
.PHONY: help soak setup run train test check format published bench sample mlflow image eb-bundle eb-verify clean fuzz audit sbom

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Make the virtual environment with the locked dependencies

run: $(VENV)/.ready $(SERVED:%=$(MODELS_DIR)/%/manifest.json) ## Serve on PORT (9696), training first where there is no model
	@exec $(BIN)/gunicorn -c web-service/gunicorn.conf.py

train: $(VENV)/.ready ## Train every model on the bundled sample, over what is there
	@for model in $(SERVED); do $(BIN)/python train.py $$model --output "$(MODELS_DIR)" || exit 1; done

test: $(VENV)/.ready ## Run every check and every test, with coverage
	@$(MAKE) --no-print-directory lint
	$(BIN)/coverage erase
	$(PYTEST) --cov --cov-config=pyproject.toml --cov-report=
	$(BIN)/coverage report
	$(BIN)/coverage report --include='web-service/*,train.py,training/*' --fail-under=95 --format=total

check: $(VENV)/.ready ## Run the fast checks: lint, types and the tests without a server
	@$(MAKE) --no-print-directory lint
	$(PYTEST) -m "not slow and not container" -q

.PHONY: lint has-python
has-python:
	@test -n "$(INTERPRETER)"

lint: $(VENV)/.ready
	$(BIN)/ruff check -q
	$(BIN)/ruff format -q --check
	$(BIN)/mypy --no-error-summary --cache-dir $(VENV)/mypy

format: $(VENV)/.ready ## Format the code and mend what can be mended by itself
	$(BIN)/ruff check -q --fix
	$(BIN)/ruff format -q

published: $(VENV)/.ready ## Print the published results next to ours (needs the real data; minutes)
	$(BIN)/python -m training.published

SOAK_SECONDS ?= 600
soak: $(VENV)/.ready ## Load a disturbed service for SOAK_SECONDS (600) and compare counts with answers (needs nginx)
	$(BIN)/python -m tests.soak $(SOAK_SECONDS)

bench: $(VENV)/.ready ## Measure the speed next to other servers (BENCH="--quick", "--peers"; minutes)
	$(BIN)/python -m benchmarks $(BENCH)

# each for half of the time; what is found is kept in test-output/fuzz/
fuzz: $(VENV)/.ready ## Look for requests that break the service, for FUZZ_SECONDS (600)
	$(BIN)/python -m tests.fuzz.decoder --seconds $$(( $(FUZZ_SECONDS) / 2 ))
	$(BIN)/python -m tests.fuzz.openapi --seconds $$(( $(FUZZ_SECONDS) / 2 ))

sample: $(VENV)/.ready ## Generate the bundled sample anew
	$(BIN)/python -m training.sample

# --artifacts-destination: new versions go through the server, so that a service elsewhere can have
# them; those that train.py put into ./mlruns itself are read from there
mlflow: $(VENV)/.ready ## Open MLflow's server and UI on MLFLOW_PORT (5000) over the local store
	@exec $(BIN)/mlflow server --host 127.0.0.1 --port $(MLFLOW_PORT) --workers 1 \
	  --backend-store-uri sqlite:///mlflow.db --artifacts-destination ./mlartifacts

image: ## Build the Docker image `prediction-service`
	docker build --build-arg REVISION="$$(git rev-parse HEAD 2>/dev/null || echo unknown)" -t prediction-service .

# asks PyPI; where it cannot, it says so and fails
audit: $(VENV)/.ready ## Look for packages without hashes or with known vulnerabilities, and for mistakes of ours
	@$(BIN)/python -m deploy.supplychain audit

sbom: $(VENV)/.ready ## List what the image holds, dist/prediction-service.cdx.json (CycloneDX); of the lock without one
	@$(BIN)/python -m deploy.supplychain sbom

# EB_POLICY, EB_IMAGE, EB_SETTINGS and EB_SECRETS: docs/elastic-beanstalk.md
eb-bundle: $(VENV)/.ready $(if $(EB_IMAGE),,$(FOUND:%=$(MODELS_DIR)/%/manifest.json)) ## Make the bundle for Elastic Beanstalk, dist/prediction-service-eb.zip
	@$(BIN)/python -m deploy.bundle build

eb-verify: eb-bundle ## Check the bundle, then deploy it behind nginx on this machine, under load
	@$(BIN)/python -m deploy.bundle rehearse

# what reads the bundle on the way to AWS; its packages and ours do not go together
.venv-eb/.ready:
	$(INTERPRETER) -m venv .venv-eb
	.venv-eb/bin/python -m pip install --quiet --disable-pip-version-check awsebcli==$(AWSEBCLI_VERSION)
	@touch $@

clean: ## Remove the virtual environments and caches, keep models and data
	rm -rf .venv .venv-* .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache

$(MODELS_DIR)/%/manifest.json: | $(VENV)/.ready
	$(BIN)/python train.py $* --output "$(MODELS_DIR)"

# pipenv gets an environment of its own: what it needs must not decide what we lock
$(VENV)/.ready: Pipfile.lock web-service/pyproject.toml
	@test -n "$(INTERPRETER)" || \
	  { echo "$(PYTHON) is not installed; another from 3.11 on will do: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(INTERPRETER) -m venv $(VENV)
	$(INTERPRETER) -m venv $(VENV)/pipenv
	$(VENV)/pipenv/bin/python -m pip install --quiet --disable-pip-version-check pipenv==$(PIPENV_VERSION)
	VIRTUAL_ENV=$(CURDIR)/$(VENV) PIPENV_VERBOSITY=-1 \
	  $(VENV)/pipenv/bin/pipenv sync --categories "packages otel s3 training benchmarks dev-packages"
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) PIPENV_VERBOSITY=-1 \
	  $(VENV)/pipenv/bin/pipenv sync --categories fast >$(VENV)/fast.log 2>&1 || \
	  echo "without a C compiler, requests are parsed in Python, which takes longer ($(VENV)/fast.log)" >&2
	@touch $@
