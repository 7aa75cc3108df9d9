#!/usr/bin/env bash
# Bugs that Kubernetes has had, and whether the suite would have told: the DaemonSet controllers that had them, and the releases that mended
# them, run against the newest API server on the specs of the behaviour concerned. ONLY=<regular expression> chooses by version.
set -uo pipefail
cd "$(dirname "$0")/.."
# rollcall takes an interrupt for a wish to end in good order, and ends with a code like any other: without this the next version would begin.
# The same signal comes from make, too, and would end the wait.
trap 'trap "" INT TERM; kill -INT $(jobs -p) 2>/dev/null; while [ "$(jobs -pr)" ]; do wait; done; exit 130' INT TERM
out=${ARTIFACTS:-_artifacts}/track-record
mkdir -p "$out"
failed=0
ran=0

# run VERSION LABELS: what the suite says of the controller of that version, into the log that $log names.
run() {
  local controller
  controller=$(KUBERNETES_VERSION=$1 make -s controller) || exit 1
  ran=$((ran + 1))
  log=$out/$1-${2%% *}
  env -u KUBERNETES_VERSION PROVIDER=simulated NODES="${NODES:-12}" DEVIATIONS=kube-controller-manager LABELS="$2" \
    CONTROLLER="$controller --kubeconfig={kubeconfig}" ARTIFACTS="$log" .cache/bin/rollcall e2e >"$log.log" 2>&1 &
  wait $!
}

# caught VERSIONS LABELS BUG: the suite has to fail each of the versions.
caught() {
  local version
  for version in $1; do
    [[ $version =~ ${ONLY:-.} ]] || continue
    printf '%s: %s\n' "$version" "$3"
    if run "$version" "$2" || ! grep -q '^rollcall: failed: ' "$log.log"; then
      failed=1
      printf '    NOT CAUGHT: %s\n' "$(tail -n 1 "$log.log")"
    else
      sed -n 's/^rollcall: failed: /    caught by: /p' "$log.log"
    fi
  done
}

# mended VERSION LABELS: the suite has to pass the version, which has the bugs above it no more.
mended() {
  [[ $1 =~ ${ONLY:-.} ]] || return 0
  if run "$1" "$2"; then
    printf '%s, which mends that, passes: %s\n' "$1" "$(sed -n 's/^rollcall: [a-z]*: \([0-9]* specs: .*\)/\1/p' "$log.log")"
  else
    failed=1
    printf '%s, which mends that, FAILS:\n' "$1"
    grep '^rollcall: \(failed\|inconclusive\|error\)' "$log.log" || tail -n 1 "$log.log"
  fi
}

make -s rollcall || exit 1
caught 1.34.0 G-01 'numberMisscheduled stays after the taint is gone (kubernetes/kubernetes#132459)'
mended 1.34.4 G-01
caught '1.30.4 1.29.6' 'C-06 || H-06' 'nodes whose old pod is unavailable are not counted against maxUnavailable (kubernetes/kubernetes#123232)'
caught 1.26.0 D-09 'a surge is spent on nodes that are not eligible any more (kubernetes/kubernetes#118823)'
caught 1.26.0 L-03 'a pod that is Succeeded is not replaced (kubernetes/kubernetes#117018)'
caught '1.26.0 1.14.0' L-04 'a dead pod that a finalizer keeps holds up its replacement (kubernetes/kubernetes#118587)'
caught 1.26.0 G-04 'the status stays as it is while creations are refused (kubernetes/kubernetes#100683)'
caught 1.14.0 M-20 'while one pod takes long to end, nothing is done on other nodes (kubernetes/kubernetes#63465)'
mended 1.30.14 'C-06 || H-06 || D-09 || L-03 || L-04 || G-04 || M-20'
if [ $ran = 0 ]; then
  echo "track-record: ONLY=$ONLY names no version" >&2
  exit 2
fi
exit $failed
