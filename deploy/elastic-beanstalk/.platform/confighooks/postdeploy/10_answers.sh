#!/bin/bash
# The deployment has failed unless the service answers through nginx: better here, on one machine,
# than on the load balancer.
set -u
for _ in $(seq 30); do
  if [ "$(curl -s -m 5 http://127.0.0.1/ping)" = PONG ] &&
    curl -s -f -o /dev/null -m 5 http://127.0.0.1/health/ready; then
    exit 0
  fi
  sleep 1
done
echo "the service does not answer through nginx; its log, the last lines:" >&2
tail -n 20 /var/log/eb-docker/containers/eb-current-app/*stdouterr.log >&2
exit 1
