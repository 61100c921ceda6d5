#!/usr/bin/env bash
# plateforge report: one page that needs no network, opened in a headless browser where there is one.
# usage: report_test.sh PLATEFORGE ROOT
set -uo pipefail
program=$1 root=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/cli/checks.sh
. "$root/tests/cli/checks.sh"

run() { # NAME SETTINGS...
  local name=$1
  shift
  "$program" train --config "$root/configs/lprnet_cn.yaml" --run "$work/$name" --set runtime.precision=fp32 \
    --set "data.train=crops:$root/tests/data/crops" --set data.val_fraction=0.3 --set data.batch_size=4 \
    --set train.steps=12 --set train.eval_every=4 --set "$@" > "$work/$name.log" 2>&1 || cat "$work/$name.log"
}
run one data.recombine=0
run two data.recombine=0.5

ends "a run" 0 "$program" report "$work/one"
page=$work/one/report.html
holds "a page" test -s "$page"
ends "two runs and a table" 0 "$program" eval --model "$work/one/model.safetensors" \
  --data "crops:$root/tests/data/crops" --json "$work/measured.json"
ends "two runs and a table" 0 "$program" report "$work/one" "$work/two" --table "$work/measured.json" \
  --title 'Two <runs> & "a table"' --out "$work/both.html"
holds "nothing is fetched" python3 - "$page" "$work/both.html" <<'PY'
import re, sys
for file in sys.argv[1:]:
    text = open(file, encoding="utf-8").read()
    assert not re.search(r'(src|href)\s*=\s*["\']?\s*(https?:)?//', text), file
PY
mkdir "$work/empty"
ends "a folder that is no run" 2 "$program" report "$work/empty"
holds "is told" grep -q 'no run folder' "$work/said"
ends "a table that is none" 2 "$program" report "$work/one" --table "$page"
rm -r "$work/two/model.safetensors"
ends "a run without weights yet" 0 "$program" report "$work/two" --no-pictures
holds "says so" grep -q 'no weights yet' "$work/two/report.html"

browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
  echo "no browser: the page was not opened"
  echo "$checks checks, $failures failed"
  exit $((failures > 0))
}
# opened FILE CHARTS: draws at least so many charts, none of them blank, without an error
opened() {
  "$browser" --headless --no-sandbox --disable-gpu --virtual-time-budget=5000 \
    --user-data-dir="$work/profile" --dump-dom "file://$1" > "$work/dom.html" 2> "$work/console"
  python3 - "$work/dom.html" "$2" <<'PY'
import re, sys
body = re.search(r"<body[^>]*>", open(sys.argv[1], encoding="utf-8").read()).group()
value = lambda name: (re.search(rf'data-{name}="([^"]*)"', body) or [None, None])[1]
print(body)
sys.exit(value("error") is not None or int(value("charts") or 0) < int(sys.argv[2]) or value("blank") != "0")
PY
}
holds "a browser draws the run" opened "$page" 5
holds "a browser draws both" opened "$work/both.html" 12
holds "nothing is wrong on its console" test -z "$(grep -i 'uncaught\|CONSOLE.*error' "$work/console")"

echo "$checks checks, $failures failed"
[ "$failures" -eq 0 ]
