#!/usr/bin/env bash
# Runs test files, one after another, and fails if a test or a suite in one of them is left out, for whatever reason, or none passes.
set -euo pipefail
report=$(mktemp)
trap 'rm -f "$report"' EXIT

for file in "$@"; do
  [ -f "$file" ] || { echo "$file is not there"; exit 1; }
  node_modules/node/bin/node --test --test-reporter=tap "$file" > "$report" || { cat "$report"; exit 1; }
  # A suite that is left out counts as no test, so the counts alone don't show it.
  if grep -E '# (SKIP|TODO)' "$report"; then echo "$file: left out"; exit 1; fi
  passed=$(sed -n 's/^# pass //p' "$report")
  [ "${passed:-0}" -gt 0 ] || { echo "$file: no test ran"; exit 1; }
  echo "$file: $passed passed, none left out"
done
