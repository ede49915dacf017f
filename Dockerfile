# The image of the service: docker build -t prediction-service .
#
#   packages   the locked packages that serving needs, and nothing else
#   models     those of the build context as they are; what is missing is trained on the sample
#   proof      code, packages and models together: a model that cannot serve stops the build here
#   (last)     copies the results; no tool of the stages before is in it
#
# Arguments: MODELS=churn takes one model (default: every file of scoring/models), SKLEARN=0 leaves
# scikit-learn, scipy and numpy out where every model has a compiled form, S3=1 adds boto3, which a
# registry with artifacts at s3:// needs, OTEL=1 what sends OpenTelemetry traces, BATCH=1 adds
# `docker run IMAGE batch ...` (docs/batch.md), which needs SKLEARN=1, STREAM=1 adds `docker run IMAGE
# stream ...` (docs/streaming.md). Only classic instructions are
# used, so the builder of any engine and of Elastic Beanstalk's instances will do.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_CACHE_DIR=1
WORKDIR /build
# For gunicorn's HTTP parser, the one package that comes as a source alone. A base image may lack
# Python's headers; Debian's of the same minor version will do then.
RUN set -eu; apt-get update -qq; \
    headers=$(python -c 'import sysconfig; print(sysconfig.get_path("include"))'); \
    needed="gcc libc6-dev"; \
    [ -e "$headers/Python.h" ] || needed="$needed lib$(basename "$headers")-dev"; \
    apt-get install -y -qq --no-install-recommends $needed >/dev/null; \
    [ -e "$headers/Python.h" ] || ln -s "/usr/include/$(basename "$headers")" "$headers"; \
    rm -rf /var/lib/apt/lists/*
# the Makefile's version; in an environment of its own, as what pipenv needs is not what we serve
ARG PIPENV_VERSION=2026.10.3
RUN python -m venv /opt/pipenv && /opt/pipenv/bin/pip install --quiet pipenv==${PIPENV_VERSION}
COPY Pipfile Pipfile.lock ./
# Wheels only, but for that one: a build of any other would take long, and should say so at once. The
# wheels' own tests and what only compilers and type checkers read are a seventh of their size, and
# uvloop comes with twelve megabytes for debuggers.
ARG SKLEARN=1
ARG S3=
ARG OTEL=
ARG BATCH=
ARG STREAM=
RUN groups="packages fast${S3:+ s3}${OTEL:+ otel}${BATCH:+ batch}${STREAM:+ kafka kinesis redis}" \
    && case "$SKLEARN" in 1) groups="$groups sklearn";; 0) ;; \
         *) echo "SKLEARN=$SKLEARN: 1 installs scikit-learn, 0 leaves it out" >&2; exit 1;; esac \
    && if [ "$SKLEARN" = 0 ] && [ -n "$BATCH" ]; then \
         echo "BATCH=$BATCH needs numpy, which SKLEARN=0 leaves out" >&2; exit 1; fi \
    && for group in $groups; do \
         /opt/pipenv/bin/pipenv requirements --hash --categories $group || exit 1; \
       done | awk '!seen[$0]++' > packages.txt \
    && python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --quiet --no-compile \
       --no-deps --only-binary :all: --no-binary gunicorn-h1c --require-hashes -r packages.txt \
    && find /opt/venv \( -type d -name tests -o -name '*.py[ix]' -o -name '*.px[di]' -o -name '*.tp' \
         -o -name '*.[ach]' -o -name '*.[ch]pp' \) -prune -exec rm -rf {} + \
    && find /opt/venv -path '*/uvloop/*.so' -exec strip --strip-debug {} +
ENV PATH=/opt/venv/bin:${PATH}

FROM packages AS models
ARG MODELS=
COPY web-service/scoring/models ./web-service/scoring/models
# `models` may be missing: a pattern that matches nothing is no error beside a file that is there
COPY Pipfile model[s] ./given/
# The training packages outweigh all others: they are installed only where a model is missing, and
# in a step that a change of other code does not repeat. A model that nobody asked for by name is
# left out where there is nothing to train it on.
COPY training/sources ./training/sources
RUN set -eu; \
    for file in web-service/scoring/models/[!_]*.py; do basename "$file" .py; done > names; \
    if [ -n "$MODELS" ]; then echo "$MODELS" | tr -s ', ' '\n' > names; fi; \
    touch skipped missing; \
    for name in $(cat names); do \
      if [ -e "given/$name/manifest.json" ]; then continue; fi; \
      if [ -n "$MODELS" ] || grep -qs "sample=" "training/sources/$name.py"; then \
        echo "$name" >> missing; \
      else \
        echo "$name" >> skipped; \
        echo "model '$name' is left out: there is no models/$name, and no sample to train it on"; \
      fi; \
    done; \
    for name in $(cat skipped); do sed -i "/^$name\$/d" names; done; \
    if [ -s missing ]; then \
      /opt/pipenv/bin/pipenv requirements --hash --categories training > training.txt; \
      pip --python /opt/venv/bin/python install --quiet --no-compile \
        --no-deps --only-binary :all: --require-hashes -r training.txt; \
    fi
COPY train.py ./
COPY training ./training
COPY web-service ./web-service
RUN set -eu; \
    for name in $(cat missing); do \
      PYTHONPATH=web-service python train.py "$name" --output given; \
    done; \
    for name in $(cat names); do \
      manifest=given/$name/manifest.json; \
      install -D -m 644 -t "/app/models/$name" "$manifest"; \
      for file in $(python -c 'import json, sys; m = json.load(open(sys.argv[1])); \
        print(m["file"], *((m.get(part) or {}).get("file", "") \
                           for part in ("compiled", "profile_file")))' "$manifest"); do \
        install -m 644 -t "/app/models/$name" "given/$name/$file"; \
      done; \
      find "given/$name" -maxdepth 1 -name '*.png' -exec install -m 644 -t "/app/models/$name" {} +; \
    done

FROM packages AS proof
ARG MODELS=
COPY web-service /app/web-service
COPY --from=models /app/models /app/models
COPY --from=models /build/skipped /build/skipped
RUN for name in $(cat skipped); do rm "/app/web-service/scoring/models/$name.py"; done
# an image made from this one puts model files of its own there: docs/models.md
RUN mkdir /app/model_code
# Loads and proves the models as a start does. What Python compiles for that is kept: a container
# that may not write would compile it anew at every start, the standard library's part included,
# which slim images come without. Our own code may be mounted over, so its part is not kept.
RUN chmod -R a+rX /app && chmod a+x /app/web-service/bin/serve \
    && MODELS=${MODELS} PYTHONPYCACHEPREFIX=/opt/bytecode \
       gunicorn --check-config -c /app/web-service/gunicorn.conf.py \
    && rm -rf /opt/bytecode/app
# may be missing, as in a bundle for Elastic Beanstalk; the pattern copies what is in the folder
COPY Pipfile batc[h] /build/batch/
ARG BATCH=
RUN set -eu; if [ -n "$BATCH" ]; then \
      if [ ! -e /build/batch/bin/batch ]; then \
        echo "BATCH=$BATCH: there is no folder batch in the build context" >&2; exit 1; \
      fi; \
      rm /build/batch/Pipfile; mv /build/batch /app/batch; chmod -R a+rX /app/batch; \
      chmod a+x /app/batch/bin/*; ln -s ../../batch/bin/batch ../../batch/bin/batch-worker \
        /app/web-service/bin/; \
      PYTHONPYCACHEPREFIX=/opt/bytecode /app/batch/bin/batch --help >/dev/null; \
      rm -rf /opt/bytecode/app; \
    fi
COPY Pipfile streamin[g] /build/streaming/
ARG STREAM=
RUN set -eu; if [ -n "$STREAM" ]; then \
      if [ ! -e /build/streaming/bin/stream ]; then \
        echo "STREAM=$STREAM: there is no folder streaming in the build context" >&2; exit 1; \
      fi; \
      rm /build/streaming/Pipfile; mv /build/streaming /app/streaming; chmod -R a+rX /app/streaming; \
      chmod a+x /app/streaming/bin/stream; ln -s ../../streaming/bin/stream /app/web-service/bin/; \
      PYTHONPYCACHEPREFIX=/opt/bytecode PYTHONPATH=/app:/app/web-service python -c \
        "import streaming.cli, streaming.brokers.kafka_transaction, streaming.brokers.kinesis, \
streaming.brokers.redis_streams"; \
      rm -rf /opt/bytecode/app; \
    fi

FROM ${PYTHON_IMAGE}
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY --from=proof /opt/bytecode /opt/bytecode
COPY --from=proof /app /app
ARG MODELS=
# web-service/bin holds `serve`, the word with which SageMaker starts a container
ENV PATH=/opt/venv/bin:/app/web-service/bin:${PATH} \
    PYTHONPYCACHEPREFIX=/opt/bytecode \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MODEL_CODE=/app/model_code \
    MODELS=${MODELS}
# a number, as Kubernetes' runAsNonRoot wants; any other will do, as nothing is ever written
USER 10001:10001
EXPOSE 9696
# a bare socket, as this runs all day: importing an HTTP client costs twice as much; `serve` listens
# on another port
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "\
import os, socket; \
given = os.environ.get; \
ports = [given('PORT')] if given('PORT') else [9696, given('SAGEMAKER_BIND_TO_PORT') or 8080]; \
local = [('127.0.0.1', int(port)) for port in ports]; \
found = next(place for place in local if not socket.socket().connect_ex(place)); \
ping = socket.create_connection(found, timeout=4); \
ping.sendall(b'GET /ping HTTP/1.0\\r\\n\\r\\n'); \
raise SystemExit(b' 200 ' not in ping.recv(64))"]
# The kernel drops signals to a first process without handlers, which Python has none of for a while:
# `env` holds these back, and gunicorn.conf.py lets them through to its own.
CMD ["env", "--block-signal=TERM", "--block-signal=INT", "--block-signal=QUIT", \
     "gunicorn", "-c", "/app/web-service/gunicorn.conf.py"]
# last, as they change with every commit
ARG VERSION=1.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="prediction-service" \
      org.opencontainers.image.description="Predicts taxi rides' durations and customers' churn over HTTP" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
