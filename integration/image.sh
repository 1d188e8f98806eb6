#!/bin/sh
# Builds an image of programs that were compiled beforehand and pushes it:
# image.sh REFERENCE DOCKERFILE PROGRAMS [OPTION...]. The options are buildctl's. The
# builder is the one of BUILDKIT_HOST, else a buildkitd of its own.
set -eu
reference=$1 dockerfile=$2 programs=$3
shift 3
bin=$(cd "$(dirname "$0")/../bin" && pwd)

if [ -z "${BUILDKIT_HOST:-}" ]; then
  dir=$(mktemp -d)
  export BUILDKIT_HOST="unix://$dir/buildkitd.sock"
  "$bin/buildkitd" --root "$dir/state" --addr "$BUILDKIT_HOST" --oci-worker-net host --oci-worker-binary "$bin/runc" >"$dir/log" 2>&1 &
  buildkitd=$!
  trap 'kill $buildkitd; wait $buildkitd || true; rm -rf "$dir"' EXIT
  tries=0
  until "$bin/buildctl" debug workers >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ] || ! kill -0 $buildkitd; then
      echo "buildkitd did not start:" >&2
      tail "$dir/log" >&2
      exit 1
    fi
    sleep 0.1
  done
fi

# One date for all files, as git does not keep theirs.
"$bin/buildctl" build --frontend dockerfile.v0 --local context="$programs" --local dockerfile="$(dirname "$0")/.." \
  --opt filename="$dockerfile" --opt build-arg:SOURCE_DATE_EPOCH=315532800 "$@" \
  --output "type=image,name=$reference,push=true,rewrite-timestamp=true"
