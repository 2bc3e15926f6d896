#!/usr/bin/env bash
# One message to eight destinations at once, with real servers. Needs Node 20, and what `cargo xtask servers` needs.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -z "${PASAR_TEST_SERVERS:-}" ]; then
  npm install --prefix examples/fan-out --no-package-lock --no-audit --no-fund --loglevel error
  cargo build --quiet --package pasar
  exec cargo xtask servers run -- "$PWD/examples/fan-out/run.sh" "$@"
fi

export FAN_OUT_PROGRAM="${FAN_OUT_PROGRAM:-${CARGO_TARGET_DIR:-$PWD/target}/debug/pasar}"
exec node examples/fan-out/fan-out.js "$@"
