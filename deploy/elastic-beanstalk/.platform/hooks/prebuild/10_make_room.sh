#!/bin/bash
# Images of former versions, and what their builds left, would fill the disk in the end. What runs
# now is kept: it answers until the new one does.
set -u
docker image prune --force --filter until=24h >/dev/null 2>&1
free_kb=$(df --output=avail / | tail -n 1)
if [ "$free_kb" -lt 3000000 ]; then
  echo "less than 3 GB are free on this machine: set RootVolumeSize (02-capacity.config) higher" >&2
  exit 1
fi
