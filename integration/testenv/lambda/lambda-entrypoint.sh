#!/bin/sh
# The entrypoint of Lambda's base images: the handler is its argument.
[ $# -eq 1 ] || { echo "entrypoint requires the handler name to be the first argument" >&2; exit 142; }
_HANDLER=$1
export _HANDLER
exec /var/runtime/bootstrap
