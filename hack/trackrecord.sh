#!/usr/bin/env bash
# Bugs that Kubernetes has had, and whether the suite would have told: the DaemonSet controllers that had them, and the releases that mended
# them, run against the newest API server on the specs of the behaviour concerned. ONLY=<regular expression> chooses by version.
set -uo pipefail
cd "$(dirname "$0")/.."
# rollcall takes an interrupt for a wish to end in good order, and ends with a code like any other: without this the next version would begin.
trap 'kill -INT $(jobs -p) 2>/dev/null; wait; exit 130' INT TERM
out=${ARTIFACTS:-_artifacts}/track-record
mkdir -p "$out"
failed=0
ran=0

# run VERSION LABELS: what the suite says of the controller of that version, into a log of its own.
run() {
  local controller
  controller=$(KUBERNETES_VERSION=$1 make -s controller) || exit 1
  env -u KUBERNETES_VERSION PROVIDER=simulated NODES="${NODES:-12}" DEVIATIONS=kube-controller-manager LABELS="$2" \
    CONTROLLER="$controller --kubeconfig={kubeconfig}" ARTIFACTS="$out/$1" .cache/bin/rollcall e2e >"$out/$1.log" 2>&1 &
  wait $!
}

# caught VERSION FIXED LABELS BUG: the suite has to fail the version, and to pass the one in which the bug is fixed ('' for none).
caught() {
  local version=$1 fixed=$2 labels=$3 bug=$4
  [[ $version =~ ${ONLY:-.} ]] || return 0
  ran=$((ran + 1))
  printf '%s: %s\n' "$version" "$bug"
  if run "$version" "$labels" || ! grep -q '^rollcall: failed: ' "$out/$version.log"; then
    failed=1
    printf '    NOT CAUGHT: %s\n' "$(tail -n 1 "$out/$version.log")"
  else
    sed -n 's/^rollcall: failed: /    caught by: /p' "$out/$version.log"
  fi
  [ -n "$fixed" ] || return 0
  if run "$fixed" "$labels"; then
    printf '    %s, which mends it, passes: %s\n' "$fixed" "$(sed -n 's/^rollcall: [a-z]*: \([0-9]* specs: .*\)/\1/p' "$out/$fixed.log")"
  else
    failed=1
    printf '    %s, which mends it, FAILS:\n' "$fixed"
    sed -n 's/^rollcall: \(failed\|inconclusive\|error\)/    &/p' "$out/$fixed.log"
  fi
}

make -s rollcall || exit 1
caught 1.34.0 1.34.4 G-01 'numberMisscheduled stays after the taint is gone (kubernetes/kubernetes#132459)'
caught 1.30.4 '' 'C-06 || H-06' 'nodes whose old pod is unavailable are not counted against maxUnavailable (kubernetes/kubernetes#123232)'
if [ $ran = 0 ]; then
  echo "track-record: ONLY=$ONLY names no version" >&2
  exit 2
fi
exit $failed
