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

# MODELS=churn trains and serves one; the default is every file of scoring/models
comma := ,
# and of the folders that MODEL_CODE names.
FOLDERS := web-service/scoring/models $(subst :, ,$(MODEL_CODE))
FOUND := $(sort $(filter-out __init__,$(basename $(notdir $(wildcard $(FOLDERS:%=%/*.py))))))
SERVED := $(if $(MODELS),$(subst $(comma), ,$(MODELS)),$(FOUND))
MISSING = $(strip $(foreach name,$(SERVED),$(if $(wildcard $(MODELS_DIR)/$(name)/manifest.json),,$(name))))
MLFLOW_PORT ?= 5000
FUZZ_SECONDS ?= 600
MODELS_DIR ?= $(CURDIR)/models
export MODELS_DIR
# the tests start hundreds of programs, each of which would compile every file again
unexport PYTHONDONTWRITEBYTECODE
# Half of the time of a test that writes to a disk is waiting for it (fsync): temporary files are
# kept in memory where it has 4 GB for them and lets programs run.
MEMORY := $(shell grep -sq '^[^ ]* /dev/shm [^ ]* [^ ]*noexec' /proc/mounts || \
  df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$6 == "/dev/shm" && $$4 > 4e6 { print $$6 }')
IN_MEMORY = $(if $(MEMORY),TMPDIR=$(MEMORY))

# As many processes as CPUs; worksteal leaves the tests of a file with one process, whose fixtures
# they share. SHUFFLE=1 runs the tests in a random order and shows its seed; SHUFFLE=seed runs them
# in that order again.
SEED := $(if $(filter 1,$(SHUFFLE)),$(shell date +%s),$(SHUFFLE))
CPUS := $(shell getconf _NPROCESSORS_ONLN)
PYTEST = $(IN_MEMORY) $(BIN)/python -m pytest -n $(CPUS) --dist worksteal $(if $(SEED),-p randomly --randomly-seed=$(SEED))

# Three environments, each with what the one before holds: what training on files and serving need,
# what any command may be asked for, what tests need. The largest that is there is used.
RUN_GROUPS := packages sklearn fit
SETUP_GROUPS := $(RUN_GROUPS) training otel s3 redis kafka kinesis
TEST_GROUPS := $(SETUP_GROUPS) benchmarks dev-packages
RUN := $(firstword $(wildcard $(VENV)/.ready $(VENV)/.setup) $(VENV)/.run)
SETUP := $(firstword $(wildcard $(VENV)/.ready) $(VENV)/.setup)

SHIPPED := 'web-service/*,train.py,training/*,batch/*,monitoring/*,pipeline/*,streaming/*'

.DEFAULT_GOAL := help
.PHONY: help data soak setup run train test check format published bench bench-batch bench-formats bench-monitoring bench-search bench-streaming sample mlflow image eb-bundle eb-verify spark-bundle test-long test-spark test-kills test-stream-long test-pipeline-long test-sql-long test-orchestrators pmml-judges clean fuzz audit sbom

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(SETUP) ## Install what `make run` does without: MLflow, XGBoost, plots, ONNX, Kafka, Redis, S3

run: $(RUN) trained ## Serve on PORT (9696), training first where there is no model
	@$(if $(MISSING),MODELS=$$($(BIN)/python -c '$(WITH_ARTIFACT)' "$(MODELS_DIR)") )exec $(BIN)/gunicorn -c web-service/gunicorn.conf.py

# without MODELS, a model with neither a sample nor an artifact is left out, and train.py says how to train it
TRAIN = $(BIN)/python train.py --output "$(MODELS_DIR)"
WITH_ARTIFACT = import pathlib, sys; from scoring.models import discover; \
  print(*(name for name in discover() if pathlib.Path(sys.argv[1], name, "manifest.json").exists()), sep=",")

train: $(RUN) ## Train every model on the bundled sample, over what is there
	@$(if $(MODELS),$(foreach name,$(SERVED),$(TRAIN) $(name) &&) true,$(TRAIN) --all)

.PHONY: trained
trained: $(RUN)
	@$(if $(MISSING),$(if $(MODELS),$(foreach name,$(MISSING),$(TRAIN) $(name) &&) true,$(TRAIN) --all --missing))

# coverage takes half as much CPU again: CI measures it each time
MEASURED := $(filter-out 0 false,$(or $(COVERAGE),$(CI)))
test: $(VENV)/.ready $(VENV)-pmml/.ready ## Run the checks and the tests (COVERAGE=1, or CI=true: with coverage)
	@$(MAKE) --no-print-directory lint
	$(if $(MEASURED),$(BIN)/coverage erase)
	$(PYTEST) -m "not long and not spark and not orchestrators" $(if $(MEASURED),--cov --cov-config=pyproject.toml --cov-report=)
	$(if $(MEASURED),$(BIN)/coverage report)
	$(if $(MEASURED),$(BIN)/coverage report --include=$(SHIPPED) --fail-under=95 --format=total)

test-long: $(VENV)/.ready $(VENV)-pmml/.ready ## Run the long turns that `make test` leaves out: every real row, a third model's checks, more images
	$(PYTEST) -m "long and not spark and not orchestrators"

KILLS ?= 10
test-kills: $(VENV)/.ready ## Kill runs of batch at random, KILLS (10) times each, on the disk and in a store
	KILLS=$(KILLS) $(BIN)/python -m pytest tests/batch/test_kills.py

# needs noida-db and redis-server
test-stream-long: $(VENV)/.ready ## Disturb workers on streams: KILLS (50), HOSTILE (10,000) events among EVENTS (a million)
	KILLS=$${KILLS:-50} EVENTS=$${EVENTS:-1000000} HOSTILE=$${HOSTILE:-10000} $(BIN)/python -m pytest tests/streaming/test_disturbances.py \
	  tests/streaming/test_exactly_once.py

test-pipeline-long: $(VENV)/.ready ## Play a year of the pipeline: 12 months, 20 kills, 100 races of two watchers
	MONTHS=$${MONTHS:-12} KILLS=$${KILLS:-20} RACES=$${RACES:-100} $(BIN)/python -m pytest tests/pipeline/test_story.py \
	  tests/pipeline/test_kills.py tests/pipeline/test_races.py

RIDES ?= 1000000
test-sql-long: $(VENV)/.ready ## Compare answers of an export to SQL in DuckDB with the service's, RIDES (1000000) of them (needs the real data)
	RIDES=$(RIDES) $(BIN)/python -m pytest tests/training/export/test_sql.py -k duckdb_are_those

test-spark: $(VENV)/.ready $(VENV)-spark/.ready ## Run the Spark engine's tests on a cluster of this machine, the long ones too (needs Java 17)
	$(BIN)/python -m pytest tests/batch/spark tests/training/export/test_spark.py

# Airflow, Dagster, Prefect and Mage, each in an environment of its own that is made once: half an hour, 3 GB
ENGINES := airflow dagster mage prefect schedules
test-orchestrators: $(VENV)/.ready $(ENGINES:%=.venv-%/.ready) ## Run the files for Airflow, Dagster, Prefect and Mage in these
	$(BIN)/python -m pytest tests/orchestrators

$(ENGINES:%=.venv-%/.ready): .venv-%/.ready: tests/orchestrators/%.txt
	$(environment-of-its-own)

# what does not go together with our own packages
define environment-of-its-own
	$(INTERPRETER) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@
endef

check: $(VENV)/.ready ## Run the fast checks: lint, types and the tests without a server
	@$(MAKE) --no-print-directory lint
	$(PYTEST) -m "not slow and not long and not container and not spark and not orchestrators" -q

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

published: $(SETUP) ## Print the published results next to ours (needs the real data; minutes)
	$(BIN)/python -m training.published

SOAK_SECONDS ?= 600
soak: $(VENV)/.ready ## Load a disturbed service for SOAK_SECONDS (600) and compare counts with answers (needs nginx)
	$(BIN)/python -m tests.soak $(SOAK_SECONDS)

bench: $(VENV)/.ready ## Measure the speed next to other servers (BENCH="--quick", "--peers"; minutes)
	$(BIN)/python -m benchmarks $(BENCH)

bench-formats: $(VENV)/.ready ## Measure an exported ONNX graph next to its pair: at least 30 times as fast (BENCH="--rows 20000"; seconds)
	$(BIN)/python -m benchmarks.formats --at-least 30 $(BENCH)

bench-batch: $(VENV)/.ready ## Measure scoring files next to the tutorial's way and Spark's (BENCH="--rounds 1 --large 10"; an hour)
	$(BIN)/python -m benchmarks.batch $(BENCH)

RIVALS := stream-faststream stream-mlserver
bench-streaming: $(VENV)/.ready $(RIVALS:%=.venv-%/.ready) trained ## Measure the worker on a stream next to others (BENCH="--quick"; six minutes)
	$(BIN)/python -m benchmarks.streaming $(BENCH)

bench-search: $(VENV)/.ready .venv-search-hyperopt/.ready ## Measure --search next to the course's loop of hyperopt (BENCH="--trials 10"; half an hour)
	$(BIN)/python -m benchmarks.search $(BENCH)

$(patsubst %,.venv-%/.ready,$(RIVALS) evidently search-hyperopt): .venv-%/.ready: benchmarks/%.txt
	$(environment-of-its-own)

bench-monitoring: $(VENV)/.ready .venv-evidently/.ready ## Measure profiles and reports next to Evidently (BENCH="--rows 300000"; minutes)
	$(BIN)/python -m benchmarks.monitoring $(BENCH)

# each for half of the time; what is found is kept in test-output/fuzz/
fuzz: $(VENV)/.ready ## Look for requests that break the service, for FUZZ_SECONDS (600)
	$(BIN)/python -m tests.fuzz.decoder --seconds $$(( $(FUZZ_SECONDS) / 2 ))
	$(BIN)/python -m tests.fuzz.openapi --seconds $$(( $(FUZZ_SECONDS) / 2 ))

data: $(RUN) ## Download the published data into DATA_DIR (data), with checksums
	$(BIN)/python -m training.data

sample: $(RUN) ## Make files in the shape of the bundled sample, in data/sample
	$(BIN)/python -m training.sample

# --artifacts-destination: new versions go through the server, so that a service elsewhere can have
# them; those that train.py put into ./mlruns itself are read from there
mlflow: $(SETUP) ## Open MLflow's server and UI on MLFLOW_PORT (5000) over the local store
	@exec $(BIN)/mlflow server --host 127.0.0.1 --port $(MLFLOW_PORT) --workers 1 \
	  --backend-store-uri sqlite:///mlflow.db --artifacts-destination ./mlartifacts

# the Dockerfile's own arguments, those that are set
IMAGE_ARGS = $(foreach name,MODELS SKLEARN S3 OTEL BATCH STREAM,$(if $($(name)),--build-arg $(name)="$($(name))"))
image: ## Build the Docker image `prediction-service` (MODELS, SKLEARN=0, S3=1, OTEL=1, BATCH=1, STREAM=1)
	docker build $(IMAGE_ARGS) --build-arg REVISION="$$(git rev-parse HEAD 2>/dev/null || echo unknown)" -t prediction-service .

# asks PyPI; where it cannot, it says so and fails
audit: $(VENV)/.ready ## Look for packages without hashes or with known vulnerabilities, and for mistakes of ours
	@$(BIN)/python -m deploy.supplychain audit

sbom: $(VENV)/.ready ## List what the image holds, dist/prediction-service.cdx.json (CycloneDX); of the lock without one
	@$(BIN)/python -m deploy.supplychain sbom

# EB_POLICY, EB_IMAGE, EB_SETTINGS and EB_SECRETS: docs/elastic-beanstalk.md
eb-bundle: $(RUN) $(if $(EB_IMAGE),,trained) ## Make the bundle for Elastic Beanstalk, dist/prediction-service-eb.zip
	@$(BIN)/python -m deploy.bundle build

eb-verify: eb-bundle ## Check the bundle, then deploy it behind nginx on this machine, under load
	@$(BIN)/python -m deploy.bundle rehearse

# what reads the bundle on the way to AWS; its packages and ours do not go together
.venv-eb/.ready:
	$(INTERPRETER) -m venv .venv-eb
	.venv-eb/bin/python -m pip install --quiet --disable-pip-version-check awsebcli==$(AWSEBCLI_VERSION)
	@touch $@

# what executors import from: spark-submit --py-files dist/prediction-service-spark.zip (docs/batch.md)
spark-bundle: $(RUN) ## Make our packages' zip for Spark, dist/prediction-service-spark.zip
	@$(BIN)/python -m batch.spark.bundle dist

# PySpark is 456 MB: in an environment of its own, which `make check` needs not
$(VENV)-spark/.ready: Pipfile.lock
	$(INTERPRETER) -m venv $(VENV)-spark
	VIRTUAL_ENV=$(CURDIR)/$(VENV)-spark PIPENV_VERBOSITY=-1 \
	  $(VENV)/pipenv/bin/pipenv sync --categories "packages batch spark"
	@touch $@

pmml-judges: $(VENV)-pmml/.ready ## Install what judges exports to PMML (needs Java to run)

# beside what is locked: they would not go together with our own packages
$(VENV)-pmml/.ready: tests/training/export/pmml-judges.txt $(VENV)/.ready
	rm -rf $(VENV)-pmml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
	  --target $(VENV)-pmml -r $<
	@touch $@

clean: ## Remove the virtual environments and caches, keep models and data
	rm -rf .venv .venv-* .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache

# pipenv gets an environment of its own: what it needs must not decide what we lock
define environment
	@test -n "$(INTERPRETER)" || \
	  { echo "$(PYTHON) is not installed; another from 3.11 on will do: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(INTERPRETER) -m venv $(VENV)
	@$(INTERPRETER) -m venv --without-pip $(VENV)/pipenv
	@$(BIN)/python -m pip --python $(VENV)/pipenv/bin/python install --quiet --disable-pip-version-check pipenv==$(PIPENV_VERSION)
endef
PIPENV = VIRTUAL_ENV=$(CURDIR)/$(VENV) PIPENV_VERBOSITY=-1 $(VENV)/pipenv/bin/pipenv
WITHOUT_COMPILER = echo "without a C compiler, requests are parsed in Python, which takes longer ($(VENV)/fast.log)" >&2

# pip shows what it downloads, and compiles nothing, as most is never imported: Python compiles a file
# at its first use. The one package that needs a C compiler is built meanwhile.
PIP := $(BIN)/python -m pip --disable-pip-version-check
LOCKED := --no-deps --require-hashes
define install
	@for group in $(1); do $(PIPENV) requirements --hash --categories $$group || exit 1; done \
	  | awk '!seen[$$0]++' >$(VENV)/packages.txt
	@$(PIPENV) requirements --hash --categories fast >$(VENV)/fast.txt
	@$(PIP) wheel $(LOCKED) --wheel-dir $(VENV)/wheels -r $(VENV)/fast.txt >$(VENV)/fast.log 2>&1 & \
	$(PIP) install $(LOCKED) --no-compile --only-binary :all: -r $(VENV)/packages.txt || exit 1; \
	wait $$! && $(PIP) install --quiet --no-compile --no-deps $(VENV)/wheels/*.whl || $(WITHOUT_COMPILER)
	@echo "$(CURDIR)/web-service" >"$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/web-service.pth"
endef

# the sizes that are said are those of the packages and of pipenv, with what Python compiles
$(VENV)/.run: Pipfile.lock web-service/pyproject.toml
	@echo "First, once: 130 MB of packages are downloaded into $(VENV), 500 MB on the disk (Flask, gunicorn, scikit-learn,"
	@echo "pandas, pyarrow). Then two models are trained on the sample and served: half a minute after the downloads."
	$(environment)
	$(call install,$(RUN_GROUPS))
	@touch $@

$(VENV)/.setup: Pipfile.lock web-service/pyproject.toml
	@echo "230 MB of packages are downloaded into $(VENV), 850 MB on the disk: MLflow, XGBoost, plots, ONNX, brokers; some minutes"
	$(environment)
	$(call install,$(SETUP_GROUPS))
	@touch $@

# pipenv itself, as pip takes no folder of ours among what has hashes
$(VENV)/.ready: Pipfile.lock web-service/pyproject.toml
	@echo "All packages of the project are downloaded into $(VENV), those of tests too: 2 GB on the disk, some minutes"
	$(environment)
	$(PIPENV) sync --categories "$(TEST_GROUPS)"
	@$(PIPENV) sync --categories fast >$(VENV)/fast.log 2>&1 || $(WITHOUT_COMPILER)
	@touch $@
