#!/usr/bin/env bash
# Correct controllers, and what the suite says of each: it must accuse none. ONLY=<regular expression> chooses by name. A variant passes
# with only recorded deviations. All other variables are make e2e's. Each is a run of the whole suite: 12 of them take about an hour on 2
# cores, and the 20 benign ones, which BENIGN= leaves out, another hour and a half.
set -uo pipefail
cd "$(dirname "$0")/.."
# rollcall takes an interrupt for a wish to end in good order, and ends with a code like any other: without this the next variant would begin.
# The same signal comes from make, too, and would end the wait.
trap 'trap "" INT TERM; kill -INT $(jobs -p) 2>/dev/null; while [ "$(jobs -pr)" ]; do wait; done; exit 130' INT TERM
out=${ARTIFACTS:-_artifacts}/correct
mkdir -p "$out"
failed=0
ran=0
printf '%-22s %-8s %s\n' variant verdict 'what was run'

# variant NAME CONTROLLER [VARIABLE=VALUE …]
variant() {
  local name=$1 controller=$2 verdict=passes start=$SECONDS
  shift 2
  [[ $name =~ ${ONLY:-.} ]] || return 0
  ran=$((ran + 1))
  env PROVIDER="${PROVIDER:-simulated}" CONTROLLER="$controller --kubeconfig={kubeconfig}" ARTIFACTS="$out/$name" "$@" \
    .cache/bin/rollcall e2e >"$out/$name.log" 2>&1 &
  wait $! || { verdict=FAILS; failed=1; }
  printf '%-22s %-8s %s, %d min\n' "$name" "$verdict" \
    "$(sed -n 's/^rollcall: [a-z]*: \([0-9]* specs: .*\)/\1/p' "$out/$name.log")" $(((SECONDS - start + 30) / 60))
  [ $verdict = passes ] || sed -n '/^rollcall: \(failed\|inconclusive\|error\)/s/^/    /p' "$out/$name.log"
}

example=$(make -s example-controller) || exit 1
variant example "$example" DEVIATIONS=none
variant example-slow "$example --workers=1 --qps=10" DEVIATIONS=none TIMEOUT_FACTOR=3 PROCS=2
variant example-lagging "$example --lag=2s" DEVIATIONS=none TIMEOUT_FACTOR=2
variant example-killed "$example" DEVIATIONS=none RESTART=KILL:5s TIMEOUT_FACTOR=2

# Upstream's, with its recorded deviations. Restarted controllers and slow ones are still correct: they only take longer.
known=DEVIATIONS=kube-controller-manager
upstream=$(make -s controller) || exit 1
variant upstream "$upstream" $known
variant upstream-one-worker "$upstream --workers=1" $known
variant upstream-slow "$upstream --qps=5" $known TIMEOUT_FACTOR=4 PROCS=2
variant upstream-terminated "$upstream" $known RESTART=TERM:5s TIMEOUT_FACTOR=2
variant upstream-killed "$upstream" $known RESTART=KILL:5s TIMEOUT_FACTOR=2

# Older controllers against the newest API server; each is built from source first. OLDER= leaves them out.
for version in ${OLDER-1.35.4 1.34.4 1.33.13}; do
  [[ upstream-$version =~ ${ONLY:-.} ]] || continue
  older=$(KUBERNETES_VERSION=$version make -s controller) || exit 1
  variant "upstream-$version" "$older" $known
done

# Upstream's, made to differ where that is free to everybody (mutants/benign.yaml).
if [ "${BENIGN-all}" ]; then
  benign=$(go run ./hack/mutants benign) || exit 1
  mapfile -t benign <<<"$benign"
  for one in "${benign[@]}"; do
    variant "benign-${one%% *}" "${one#* } --workers=10 --qps=200" $known
  done
fi
if [ $ran = 0 ]; then
  echo "correct: ONLY=$ONLY names no variant" >&2
  exit 2
fi
exit $failed
