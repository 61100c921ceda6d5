#!/bin/sh
# Runs judge.py with the interpreter of the judges' environment (./dev test makes it); exits 77,
# which ctest reports as skipped, where there is none.
root=$(cd "$(dirname "$0")/../.." && pwd)
python="$root/.deps/judges/bin/python"
[ -x "$python" ] || { echo "no $python: ./dev test installs it"; exit 77; }
exec "$python" "$root/tests/runtimes/judge.py" "$@"
