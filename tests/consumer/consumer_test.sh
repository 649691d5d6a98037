#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: consumer_test.sh BUILD_DIR WORK_DIR
set -euo pipefail
build=$(readlink -f "$1") work=$(readlink -m "$2")
project=$(dirname "$(readlink -f "$0")")/project
prefix=$work/prefix expected=2497500

fail() { echo "FAILED: $*" >&2; exit 1; }

# Checks the recorded functions and their exact counts.
check_recording() {
  "$prefix/bin/spyglass" analyze --json "$1" >"$work/report.json" || fail "analyze $1"
  python3 - "$work/report.json" "$2" <<'END'
import json, sys
functions = {f["name"].split("(")[0]: f["calls"] for f in json.load(open(sys.argv[1]))["functions"]
             if f["calls"] and f["kind"] == "function"}  # others are known from samples
expected = {"main": 1, "wanted_function": 1000, "plain_c_function": 1000}
if sys.argv[2] == "no-excludes":
    expected |= {"quiet_function": 1000, "unwanted_function": 1000}
if functions != expected:
    sys.exit(f"expected {expected}, recorded {functions}")
END
}

rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --prefix "$prefix" >/dev/null
cmake -G Ninja -S "$project" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$work/build" >/dev/null
cd "$work"

echo "linked, without a recording: hooks do nothing"
[[ $(./build/consumer) == "$expected" ]] || fail "output changed"
[[ -z $(ls ./*.sgz 2>/dev/null) ]] || fail "recorded without being asked"

echo "linked, under spyglass-run"
[[ $("$prefix/bin/spyglass-run" -q -o run.sgz ./build/consumer) == "$expected" ]] ||
  fail "output changed under spyglass-run"
check_recording run.sgz excludes

echo "linked, recording by itself"
[[ $(SPYGLASS_OUTPUT=own.sgz ./build/consumer) == "$expected" ]] || fail "output changed alone"
for _ in {1..100}; do  # the collector outlives the program by a moment
  if "$prefix/bin/spyglass" verify own.sgz >/dev/null 2>&1; then break; fi
  sleep 0.1
done
check_recording own.sgz excludes

echo "not linked, under spyglass-run"
[[ $("$prefix/bin/spyglass-run" -q -o unlinked.sgz ./build/unlinked) == "$expected" ]] ||
  fail "output of the unlinked program changed"
check_recording unlinked.sgz no-excludes

echo "built through pkg-config"
read -ra flags < <(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags --libs spyglass)
g++ -O1 -g "$project"/*.cc -x c "$project/plain_c.c" -x none "${flags[@]}" -o pkg_config_built
"$prefix/bin/spyglass-run" -q -o pc.sgz ./pkg_config_built >/dev/null
check_recording pc.sgz no-excludes
