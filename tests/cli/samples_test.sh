#!/usr/bin/env bash
# The C++ that deployment bundles carry: compiled and run on the bundle's own picture.
# usage: samples_test.sh PLATEFORGE REPOSITORY
set -uo pipefail
plateforge=$1 root=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/checks.sh"

openvino=$(ls -d "$root"/.deps/judges/lib/python3*/site-packages/openvino/cmake 2>/dev/null)
bundles=opencv,openvino,ort,deepstream
export_model() { # NAME SPEC
  "$plateforge" export --model "$root/models/pretrained/$1.safetensors" --out "$work" --bundle $bundles --sample "$2"
}
ends "export the reader" 0 export_model lprnet-cn "crops:$root/tests/data/crops"
ends "export the detector" 0 export_model detector-n "ccpd:$root/tests/data/ccpd"

# says_the_same FILE SAMPLE_JSON: the text, or the plates within a pixel, that plateforge computed
says_the_same() {
  python3 - "$@" <<'PY'
import json, sys
lines = [line.split() for line in open(sys.argv[1], encoding="utf-8")]
wanted = json.load(open(sys.argv[2], encoding="utf-8"))
if "plates" not in wanted:
    sys.exit(lines[0][0] != wanted["answer"])
plates = wanted["plates"]
same = lines[0] == [str(len(plates)), "plates"] and len(plates) > 0
for line, plate in zip(lines[1:], plates):
    same &= all(abs(float(a) - b) < 1 for a, b in zip(line[1:5], plate["box"]))
sys.exit(not same)
PY
}

sample() { # RUNTIME [CMAKE ARGUMENTS]: both models
  local runtime=$1 name bundle
  shift
  for name in lprnet-cn detector-n; do
    bundle=$work/$name-fp32-$runtime
    ends "configure $name for $runtime" 0 cmake -S "$bundle/sample" -B "$bundle/build" "$@"
    ends "build $name for $runtime" 0 cmake --build "$bundle/build"
    ends "run $name in $runtime" 0 "$bundle/build/sample" "$bundle"
    holds "$name says in $runtime what plateforge said" says_the_same "$work/said" "$bundle/sample.json"
  done
  ends "a picture that is not there in $runtime" 2 "$bundle/build/sample" "$bundle" "$work/nothing.jpg"
}
sample opencv
[ -n "$openvino" ] && sample openvino -D "OpenVINO_DIR=$openvino"
# ONNX Runtime's packages for Python have no headers; where a C++ one is installed its sample is built.
(cd "$work" && cmake --find-package -DNAME=onnxruntime -DCOMPILER_ID=GNU -DLANGUAGE=CXX -DMODE=EXIST >/dev/null 2>&1) &&
  sample ort

parser() { # NAME ARGUMENTS: the parsers called as nvinfer calls them
  local bundle=$work/$1-fp32-deepstream
  shift
  ends "compile the parsers of $bundle" 0 g++ -std=c++17 -O1 -Wall -Wextra -Werror -I"$root/tests/support/deepstream" \
    -I"$bundle" "$root/tests/support/deepstream/driver.cpp" "$bundle/nvdsinfer_plates.cpp" -o "$bundle/driver"
  ends "run them" 0 "$bundle/driver" "$@"
  holds "they say what plateforge said" says_the_same "$work/said" "$bundle/sample.json"
  holds "nvinfer's configuration is filled in" test -z "$(grep '@' "$bundle/nvinfer.txt")"
  ends "without the SDK's header they are empty" 0 g++ -std=c++17 -Wall -Werror -c -I"$bundle" \
    "$bundle/nvdsinfer_plates.cpp" -o "$bundle/empty.o"
}
detector=$work/detector-n-fp32-deepstream
parser lprnet-cn reader "$work/lprnet-cn-fp32-deepstream/sample-logits.f32"
parser detector-n detector 320 320 "$detector/sample-scores.f32" "$detector/sample-boxes.f32" "$detector/sample-corners.f32"
ends "nvinfer's parsers want decoded plates" 2 "$plateforge" export --model "$root/models/pretrained/detector-n.safetensors" \
  --out "$work/heads" --outputs heads --bundle deepstream

[ $failures = 0 ] && echo "samples: $checks checks hold"
exit $((failures > 0))
