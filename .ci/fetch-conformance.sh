#!/usr/bin/env bash
# Plays every case of `test/fetch/` on the Node that comes first on the PATH, prints how many there are, and names those that the mesh answers
# otherwise than this Node's own fetch, with the reason. Fails if one fails, is left out, or none is played.
set -euo pipefail
report=$(mktemp)
trap 'rm -f "$report"' EXIT

node --test --test-timeout=30000 --test-reporter=tap test/fetch/conformance.test.ts > "$report" || { grep -A 40 '^not ok' "$report" || cat "$report"; exit 1; }
if grep -E '# (SKIP|TODO)' "$report"; then echo 'left out'; exit 1; fi
passed=$(sed -n 's/^# pass //p' "$report")
[ "${passed:-0}" -gt 0 ] || { echo 'no case was played'; exit 1; }
differing=$(grep -E '^ok .*\(differs: ' "$report" || true)
echo "fetch conformance on Node $(node --version): $passed cases, $(grep -c . <<< "$differing") of them meant to differ:"
sed -E 's/^ok [0-9]+ - /  /' <<< "$differing"
