#!/bin/sh
# Checks an OpenAPI document against the Dutch API Design Rules: lint.sh [FILE]
# Without FILE it takes the one that the tests of this crate have written. Needs node; installs Spectral
# (pinned) under target/ on first use. The ruleset is shared material and no part of the project: where it is
# absent, the check says so and passes.
set -eu

SPECTRAL=6.16.3
root=$(cd "$(dirname "$0")/../.." && pwd)
rules=$root/../shared/packs/adr-linter/nl-adr-spectral.yaml
tools=$root/target/spectral

if [ ! -f "$rules" ]; then
    echo "SKIPPED: ../shared is absent" >&2
    exit 0
fi
if [ ! -x "$tools/node_modules/.bin/spectral" ]; then
    mkdir -p "$tools"
    npm install --silent --no-audit --no-fund --prefix "$tools" "@stoplight/spectral-cli@$SPECTRAL"
fi
"$tools/node_modules/.bin/spectral" lint --fail-severity warn --ruleset "$rules" "${1:-$root/target/openapi.json}"
