#!/usr/bin/env bash
# The contract with people who script against the Makefile: bad input is met with one clear line, within seconds and before anything exists;
# an interrupt leaves nothing; an existing cluster is left as it was found; CONTROLLER is what is judged. Needs the simulated
# provider's binaries; builds them if need be.
set -uo pipefail
cd "$(dirname "$0")/.."
unset PROVIDER KUBECONFIG KUBERNETES_VERSION NODES CONTROLLER RESTART DEVIATIONS LABELS FOCUS PROCS SEED REPEAT TIMEOUT_FACTOR ARTIFACTS RESULTS REUSE IMAGES PUBLISH SHARD SHARD_RUN DURATIONS
unset IMPLEMENTATION_ORGANIZATION IMPLEMENTATION_PROJECT IMPLEMENTATION_URL IMPLEMENTATION_VERSION IMPLEMENTATION_CONTACT
export CLUSTER_OF=contract # what is made and taken away here is not the user's
work=$(mktemp -d)
failed=0
fail() { printf 'contract: FAILED: %s\n' "$*"; failed=1; }
ok() { printf 'contract: ok: %s\n' "$*"; }
finish() {
  make --no-print-directory cluster-down >"$work/down" 2>&1 || cat "$work/down"
  rm -rf "$work"
}
trap finish EXIT

make --no-print-directory rollcall || exit 1
rollcall=.cache/bin/rollcall

# --- bad input -------------------------------------------------------------------------------------------------------------

# refused NAME PATTERN SECONDS [VARIABLE=VALUE …]: make e2e with the variables says PATTERN and exits with a code that is not 0.
refused() {
  local name=$1 pattern=$2 seconds=$3
  shift 3
  local before after start=$SECONDS
  before=$(ls .cache/clusters 2>/dev/null)
  if timeout 300 env "$@" ARTIFACTS="${artifacts:-$work/refused}" "$rollcall" e2e >"$work/out" 2>&1; then
    fail "$name: exit code 0"
  elif ! grep -qE "$pattern" "$work/out"; then
    fail "$name: does not say /$pattern/ but:"; head -n 5 "$work/out"
  elif [ $((SECONDS - start)) -gt "$seconds" ]; then
    fail "$name: took $((SECONDS - start)) s"
  else
    after=$(ls .cache/clusters 2>/dev/null)
    [ "$before" = "$after" ] || fail "$name: left $after"
    ok "$name: $(grep -E "$pattern" "$work/out" | head -n 1)"
  fi
}

# interrupted SECONDS VARIABLE=VALUE …: make e2e with the variables is interrupted after so many seconds; code is its exit code.
interrupted() {
  local moment=$1 pid
  shift
  env "$@" setsid "$rollcall" e2e >"$work/out" 2>&1 &
  pid=$!
  timeout "$moment" tail -f --pid="$pid" /dev/null
  kill -INT "$pid" 2>/dev/null
  wait "$pid"
  code=$?
}

# Another run's folder: the kernel holds the lock for as long as the other one lives.
mkdir -p "$work/taken" && exec 9<"$work/taken" && flock -x 9
artifacts=$work/taken refused "another run's ARTIFACTS" "ARTIFACTS=.*/taken is where another run is leaving its report just now" 5
exec 9<&-
printf 'apiVersion: v1\nkind: Config\ncurrent-context: nowhere\ncontexts:\n- {name: here, context: {cluster: c, user: u}}\nclusters:\n- {name: c, cluster: {server: "https://127.0.0.1:1"}}\nusers:\n- {name: u, user: {}}\n' >"$work/wrong-context"
sed 's/nowhere/here/' "$work/wrong-context" >"$work/unreachable"
echo 'not: [a kubeconfig' >"$work/garbage"
refused 'unknown PROVIDER' 'PROVIDER=minikube: must be one of auto, simulated, kind, existing' 5 PROVIDER=minikube
refused 'unknown version' 'KUBERNETES_VERSION=1.2.3 cannot be built; these can: v1.36.3' 5 KUBERNETES_VERSION=1.2.3
refused 'no number of nodes' 'NODES=many: must be a whole number' 5 NODES=many
refused 'too many nodes' 'NODES=5001: PROVIDER=auto makes clusters of at most 5000' 5 NODES=5001
refused 'unknown DEVIATIONS' 'DEVIATIONS=all: must be one of' 5 DEVIATIONS=all
refused 'no time factor' 'TIMEOUT_FACTOR=0: must be a number greater than 0' 5 TIMEOUT_FACTOR=0
refused 'a time factor that is no number' 'TIMEOUT_FACTOR=NaN: must be a number' 5 TIMEOUT_FACTOR=NaN
refused 'a time factor beyond time' 'TIMEOUT_FACTOR=1e9: must be a number .* at most 1000' 5 TIMEOUT_FACTOR=1e9
refused 'images that nothing runs' 'IMAGES=upstream is for PROVIDER=kind' 5 PROVIDER=simulated IMAGES=upstream
refused 'no kubeconfig' 'PROVIDER=existing needs KUBECONFIG' 5 PROVIDER=existing KUBECONFIG=
refused 'a kubeconfig that is not there' 'no such file' 5 PROVIDER=existing KUBECONFIG="$work/none"
refused 'a kubeconfig that is none' 'is not a kubeconfig' 5 PROVIDER=existing KUBECONFIG="$work/garbage"
refused 'wrong context' 'current context is "nowhere", and it has the contexts here' 5 PROVIDER=existing KUBECONFIG="$work/wrong-context"
refused 'unreachable server' 'the API server at https://127.0.0.1:1 cannot be reached' 8 PROVIDER=existing KUBECONFIG="$work/unreachable"
refused 'no such controller' 'there is no program /does/not/exist' 5 PROVIDER=simulated CONTROLLER=/does/not/exist
refused 'no such signal' 'RESTART=HUP:5s: must be a signal and a time' 5 PROVIDER=simulated CONTROLLER=true RESTART=HUP:5s
refused 'no place for results' 'RESULTS=here: must be configmap/NAMESPACE/NAME' 5 PROVIDER=simulated RESULTS=here
refused 'no such shard' 'SHARD=3/3: counts from 0' 5 PROVIDER=simulated SHARD=3/3
refused 'nothing to restart' 'RESTART=TERM:5s: is for a CONTROLLER' 5 PROVIDER=simulated RESTART=TERM:5s
refused 'a report for others that names nobody' 'PUBLISH=1: .* set IMPLEMENTATION_ORGANIZATION, IMPLEMENTATION_PROJECT' 5 PROVIDER=simulated PUBLISH=1
refused 'nothing to reuse' 'there is no cluster to reuse' 5 REUSE=1
refused 'no container engine' 'container engine' 10 PROVIDER=kind DOCKER_HOST=tcp://127.0.0.1:1
touch "$work/file"
artifacts="$work/file/below" refused 'artifacts that cannot be written' 'cannot be written to' 5 PROVIDER=simulated
mkdir -p "$work/mine/logs"
artifacts="$work/mine" refused "somebody else's logs" 'has logs, which no run has left there' 5 PROVIDER=simulated
# This one may have to compile the suite first.
refused 'a selection that names nothing' 'selects no spec' 240 PROVIDER=simulated FOCUS='no spec has this name'
refused 'a selection that cannot be read' 'LABELS=core &&: is no label filter' 5 LABELS='core &&'

# --- an existing cluster is left as it was found ------------------------------------------------------------------------------

if timeout 120 env PROVIDER=simulated NODES=4 "$rollcall" up >"$work/up" 2>&1; then
  kubeconfig=$(sed -n 's/^export KUBECONFIG=//p' "$work/up")
  kubectl=$(sed -n 's/^export PATH=\(.*\):\$PATH/\1/p' "$work/up")/kubectl
  # Every object, with labels and annotations of nodes; not what changes by itself (heartbeats, events of the control plane).
  everything() {
    local kinds
    kinds=$("$kubectl" --kubeconfig "$kubeconfig" api-resources --verbs=list -o name | grep -v -e '^leases' -e 'events' -e '^componentstatuses' | paste -sd,)
    "$kubectl" --kubeconfig "$kubeconfig" get "$kinds" -A -o custom-columns=KIND:.kind,NS:.metadata.namespace,NAME:.metadata.name,UID:.metadata.uid --no-headers 2>/dev/null | sort
    "$kubectl" --kubeconfig "$kubeconfig" get nodes -o custom-columns=N:.metadata.name,L:.metadata.labels,A:.metadata.annotations,T:.spec.taints --no-headers
    "$kubectl" --kubeconfig "$kubeconfig" get events -A --no-headers | grep fluentd
  }
  # As from a pod in the cluster: with a token, and with no more than the role of hack/ci/in-cluster.
  "$kubectl" --kubeconfig "$kubeconfig" apply -f hack/ci/in-cluster/rbac.yaml >/dev/null
  cp "$kubeconfig" "$work/least"
  token=$("$kubectl" --kubeconfig "$kubeconfig" create token rollcall --namespace rollcall)
  "$kubectl" --kubeconfig "$work/least" config set-credentials least --token="$token" >/dev/null
  "$kubectl" --kubeconfig "$work/least" config set-context --current --user=least >/dev/null
  everything >"$work/before"
  if timeout 600 env PROVIDER=existing KUBECONFIG="$work/least" LABELS='S18 || S3 || S33' ARTIFACTS="$work/existing" "$rollcall" e2e >"$work/out" 2>&1; then
    everything >"$work/after"
    if diff "$work/before" "$work/after" >"$work/diff"; then
      ok "an existing cluster of $(wc -l <"$work/before") objects is left as it was found"
    else
      fail 'an existing cluster is not left as it was found:'; cat "$work/diff"
    fi
  else
    fail 'PROVIDER=existing does not pass:'; tail -n 40 "$work/out"
  fi

  # So does a run from another repository's test, which has a spec of its own beside ours.
  start=$SECONDS
  if (cd hack/example-import && PATH="$(dirname "$kubectl"):$PATH" KUBECONFIG="$work/least" ARTIFACTS="$work/imported" \
    timeout 300 go test -count=1 . -ginkgo.label-filter='S18 || C-05' -ginkgo.focus='The task page|of ours' -ginkgo.seed=1) >"$work/out" 2>&1 &&
    { everything >"$work/after"; diff "$work/before" "$work/after" >"$work/diff"; } && grep -q '^- name: A DaemonSet of ours' "$work/imported/report.yaml" && [ -s "$work/imported/junit.xml" ]; then
    ok "an imported suite: $(sed -n 's/^  planned: //p' "$work/imported/report.yaml" | head -n 1) specs in $((SECONDS - start)) s"
  else
    fail 'an imported suite does not pass, or leaves something:'; tail -n 40 "$work/out"; cat "$work/diff"
  fi
  (cd hack/example-import && timeout 60 go test -count=1 . -ginkgo.seed=1) >"$work/out" 2>&1 && fail 'an imported suite passes without a cluster'
  grep -q 'suites.Options: Kubeconfig is empty' "$work/out" || { fail 'an imported suite without a cluster does not say so'; tail -n 5 "$work/out"; }

  # An interrupt amid specs that lease, taint and stop nodes leaves as little.
  for moment in 6 15 25; do
    interrupted "$moment" PROVIDER=existing KUBECONFIG="$work/least" ARTIFACTS="$work/existing"
    everything >"$work/after"
    if [ "$code" = 0 ] || ! diff "$work/before" "$work/after" >"$work/diff"; then
      fail "an interrupt of a run on an existing cluster after $moment s: exit code $code, and what differs:"; cat "$work/diff"
    else
      ok "an interrupt of a run on an existing cluster after $moment s: exit code $code, nothing left"
    fi
  done

  "$kubectl" --kubeconfig "$kubeconfig" create serviceaccount nobody >/dev/null
  token=$("$kubectl" --kubeconfig "$kubeconfig" create token nobody)
  cp "$kubeconfig" "$work/nobody"
  "$kubectl" --kubeconfig "$work/nobody" config set-credentials nobody --token="$token" >/dev/null
  "$kubectl" --kubeconfig "$work/nobody" config set-context --current --user=nobody >/dev/null
  refused 'missing permissions' 'this user may not: create configmaps, .*and [0-9]+ more' 8 PROVIDER=existing KUBECONFIG="$work/nobody"
  "$kubectl" --kubeconfig "$kubeconfig" create daemonset fluentd-elasticsearch -n kube-system >/dev/null 2>&1 ||
    sed 's/^  labels:/  annotations: {mine: "true"}\n  labels:/' fixtures/fluentd-daemonset.yaml | "$kubectl" --kubeconfig "$kubeconfig" apply -f - >/dev/null
  refused "somebody else's DaemonSet" 'there is a DaemonSet kube-system/fluentd-elasticsearch that is not ours' 8 PROVIDER=existing KUBECONFIG="$kubeconfig"
  "$kubectl" --kubeconfig "$kubeconfig" -n kube-system get daemonset fluentd-elasticsearch >/dev/null || fail "somebody else's DaemonSet is gone"
  "$kubectl" --kubeconfig "$kubeconfig" -n kube-system delete daemonset fluentd-elasticsearch >/dev/null
  "$kubectl" --kubeconfig "$kubeconfig" cordon node-2 node-3 node-4 >/dev/null 2>&1
  refused 'one schedulable node' '1 of 4 nodes can be used.*node-2 is cordoned' 8 PROVIDER=existing KUBECONFIG="$kubeconfig"
  make --no-print-directory cluster-down >/dev/null 2>&1 || fail 'cluster-down fails'
else
  fail 'cluster-up fails:'; cat "$work/up"
fi

# --- CONTROLLER is what is judged -----------------------------------------------------------------------------------------

start=$SECONDS
if timeout 120 env PROVIDER=simulated CONTROLLER=false ARTIFACTS="$work/controller" "$rollcall" e2e >"$work/out" 2>&1; then
  fail 'CONTROLLER=false passes'
elif grep -q 'CONTROLLER "false" ended by itself' "$work/out"; then
  ok "CONTROLLER=false: $(grep 'ended by itself' "$work/out" | head -n 1) ($((SECONDS - start)) s)"
else
  fail 'CONTROLLER=false does not say why:'; tail -n 5 "$work/out"
fi
controller=$("$rollcall" controller 2>"$work/err") || { fail 'the controller cannot be built:'; cat "$work/err"; }
if timeout 600 env PROVIDER=simulated CONTROLLER="$controller --kubeconfig={kubeconfig}" LABELS='S18 || S3 || S29' ARTIFACTS="$work/controller" "$rollcall" e2e >"$work/out" 2>&1; then
  ok "the DaemonSet controller alone passes"
else
  fail 'the DaemonSet controller alone does not pass:'; tail -n 40 "$work/out"
fi

# --- interrupts leave nothing --------------------------------------------------------------------------------------------

# leftovers prints processes and folders of clusters that no running make owns.
leftovers() { ls .cache/clusters 2>/dev/null; pgrep -fa "$PWD/.cache/clusters" || true; ls -d "$work"/tmp/rollcall-* 2>/dev/null || true; }
mkdir "$work/tmp"
before=$(leftovers)
for moment in 0.3 2 5 9 14; do
  interrupted "$moment" PROVIDER=simulated ARTIFACTS="$work/interrupt" TMPDIR="$work/tmp"
  after=$(leftovers)
  if [ "$code" = 0 ]; then
    fail "an interrupt after $moment s: exit code 0"
  elif [ "$before" != "$after" ]; then
    fail "an interrupt after $moment s leaves: $after"; tail -n 3 "$work/out"
  else
    ok "an interrupt after $moment s: exit code $code, nothing left"
  fi
done
# timeout interrupts make and what make runs, and make passes it on: the same interrupt twice is one.
env PROVIDER=simulated ARTIFACTS="$work/interrupt" TMPDIR="$work/tmp" timeout 12 make --no-print-directory e2e >"$work/out" 2>&1
code=$?
after=$(leftovers)
if [ "$code" != 124 ] || [ "$before" != "$after" ]; then
  fail "timeout 12 make e2e: exit code $code, and leaves: $after"; tail -n 3 "$work/out"
else
  ok "timeout 12 make e2e: exit code $code, nothing left"
fi
# A target that makes one run after another ends with the one that is interrupted.
env ARTIFACTS="$work/interrupt" TMPDIR="$work/tmp" OLDER= BENIGN= timeout 15 make --no-print-directory correct >"$work/out" 2>&1
code=$?
after=$(leftovers)
begun=$(ls "$work/interrupt/correct" | grep -vc '\.log$')
if [ "$code" != 124 ] || [ "$before" != "$after" ] || [ "$begun" -gt 1 ]; then
  fail "timeout 15 make correct: exit code $code, $begun variants have begun, and leaves: $after"; tail -n 3 "$work/out"
else
  ok "timeout 15 make correct: exit code $code, nothing left, and none begun after it"
fi
# Output that nobody reads any more, as of make e2e | head, is an interrupt too.
env PROVIDER=simulated ARTIFACTS="$work/interrupt" TMPDIR="$work/tmp" CONTROLLER="$controller --kubeconfig={kubeconfig}" FOCUS=OnDelete timeout 300 "$rollcall" e2e 2>"$work/out" | head -n 4 >/dev/null
code=${PIPESTATUS[0]}
after=$(leftovers)
if [ "$code" != 130 ] || [ "$before" != "$after" ]; then
  fail "a run whose output nobody reads: exit code $code, and leaves: $after"; tail -n 3 "$work/out"
else
  ok "a run whose output nobody reads: exit code $code, nothing left"
fi

[ "$failed" = 0 ] && echo 'contract: all is well'
exit "$failed"
