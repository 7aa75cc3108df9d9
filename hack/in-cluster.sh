#!/usr/bin/env bash
# The suite inside the cluster that it judges: its image is made, brought to a kind cluster, and run there as the Job of hack/ci/in-cluster,
# or with SHARDS=3 as an Indexed Job of so many pods. It must come to the same verdicts as a run from outside: that of the report in REPORT,
# or one that is made here. With KILL=1 the pod of shard 1 is killed amid its specs: those that it had must count as not run, and no other.
# FOCUS and LABELS choose the specs, inside and outside.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${ARTIFACTS:-_artifacts}/in-cluster
focus=${FOCUS:-} labels=${LABELS:-}
[ -n "$focus$labels" ] || focus='The task page|A stuck rollout|After the task page|The update strategy OnDelete'
outside=${REPORT:-} shards=${SHARDS:-} kill=${KILL:-}
unset ARTIFACTS FOCUS REPORT KUBECONFIG RESULTS PROVIDER REUSE SHARDS KILL
export CLUSTER_OF=in-cluster # not the user's, which may be there beside it
rollcall=.cache/bin/rollcall
began=$SECONDS
say() { printf 'in-cluster: %s (%d s)\n' "$*" $((SECONDS - began)); }
fail() { say "FAILED: $*"; exit 1; }
[ -z "$kill" ] || [ "$kill" -lt "${shards:-0}" ] || fail "KILL=$kill: there is no such shard; SHARDS says how many there are"
rm -rf "$out" && mkdir -p "$out/inside"

"$rollcall" down # of a run that was killed
PROVIDER=kind "$rollcall" up >"$out/up" || fail 'there is no cluster'
tidy() {
  status=$?
  rm -f "$out/account" # there is a token in it
  [ "$status" = 0 ] || kubectl describe pods --namespace rollcall || true
  "$rollcall" down || status=1
  exit "$status"
}
trap tidy EXIT
eval "$(cat "$out/up")" # KUBECONFIG, and kubectl on PATH
say 'the cluster is up'
REUSE=1 "$rollcall" image || fail 'the image cannot be made'
say 'the image is on its nodes'

kubectl apply -f hack/ci/in-cluster/rbac.yaml
if [ -n "$shards" ]; then
  sed -E "s|(completions: )3|\1$shards|; s|(parallelism: )3|\1$shards|; s|(INDEX\)/)3|\1$shards|" hack/ci/in-cluster/sharded.yaml >"$out/job.yaml"
else
  cp hack/ci/in-cluster/job.yaml "$out/job.yaml"
fi
# kind's node image of this repository has no kube-proxy, so the service's address, which pods are told, leads nowhere.
server=$(kubectl get endpointslices --selector kubernetes.io/service-name=kubernetes --output 'jsonpath={.items[0].endpoints[0].addresses[0]}:{.items[0].ports[0].port}')
kubectl set env --local --filename "$out/job.yaml" --output yaml \
  KUBERNETES_SERVICE_HOST="${server%:*}" KUBERNETES_SERVICE_PORT="${server##*:}" ${focus:+"FOCUS=$focus"} ${labels:+"LABELS=$labels"} | kubectl apply -f -
kubectl wait --namespace rollcall --for=jsonpath='{.status.ready}'="${shards:-1}" job/rollcall --timeout=120s
if [ -n "$kill" ]; then
  victim=$(kubectl get pods --namespace rollcall --selector "batch.kubernetes.io/job-completion-index=$kill" --output name)
  timeout 3m grep --max-count=1 'Running in parallel' <(kubectl logs --namespace rollcall --follow "$victim") || fail "shard $kill has begun no spec"
  kubectl delete --namespace rollcall --force --grace-period=0 "$victim"
  say "shard $kill is killed"
fi
timeout 20m kubectl logs --namespace rollcall --follow --prefix --selector job-name=rollcall --tail=-1 --max-log-requests=50 | tee "$out/inside/log"
ended=Complete
[ -z "$kill" ] || ended=Failed
kubectl wait --namespace rollcall --for="condition=$ended" job/rollcall --timeout=60s || fail "the Job has not become $ended"
if [ -n "$shards" ]; then
  merged=success
  RESULTS=configmap/rollcall/rollcall-results ARTIFACTS=$out/inside "$rollcall" merge || merged=failure
  case $kill:$merged in :failure) fail 'the shards have not passed' ;; [0-9]*:success) fail 'nobody misses the shard that was killed' ;; esac
else
  for file in report.yaml junit.xml index.html; do
    kubectl get configmap --namespace rollcall rollcall-results --output "jsonpath={.binaryData.${file//./\\.}\.gz}" | base64 -d | gunzip >"$out/inside/$file"
  done
fi
say 'the Job is done'
left=$(kubectl get namespaces --selector rollcall.dev/run --output name)
[ -z "$left" ] || [ -n "$kill" ] || fail "the Job has left $left"

if [ -z "$outside" ]; then
  cp "$KUBECONFIG" "$out/account" # as the Job's service account: what that may not do is skipped
  kubectl --kubeconfig "$out/account" config set-credentials rollcall --token="$(kubectl create token --namespace rollcall rollcall)"
  kubectl --kubeconfig "$out/account" config set-context --current --user=rollcall
  PROVIDER=existing KUBECONFIG=$out/account FOCUS=$focus ARTIFACTS=$out/outside "$rollcall" e2e || fail 'the run from outside has not passed'
  outside=$out/outside/report.yaml
  say 'the run from outside is done'
fi
# Neither worse nor better, but for what was lost with a shard.
verdicts() { awk '/^specs:/ {s=1} s && /^- name:/ {name=$0} s && /^  verdict:/ {print name ":" $2}' "$1" | sort; }
verdicts "$outside" >"$out/outside.verdicts"
verdicts "$out/inside/report.yaml" >"$out/inside.verdicts"
[ -s "$out/inside.verdicts" ] || fail 'the report has no verdicts'
if [ -n "$kill" ]; then
  lost=$(grep -c ':notRun$' "$out/inside.verdicts") || fail 'the shard that was killed has lost no spec'
  of=$(grep -c "reason: shard $kill/$shards " "$out/inside/report.yaml") || true
  [ "$lost" = "$of" ] || fail "$lost specs were not run, of which $of are said to be of shard $kill"
  sed -i '/:notRun$/d' "$out/inside.verdicts"
  [ "$(wc -l <"$out/outside.verdicts")" = $(($(wc -l <"$out/inside.verdicts") + lost)) ] || fail 'the report has not all specs'
  others=$(comm -13 "$out/outside.verdicts" "$out/inside.verdicts")
  [ -z "$others" ] || fail "inside the verdicts are others: $others"
  say "$lost specs were lost with the shard"
else
  A=$outside B=$out/inside/report.yaml "$rollcall" compare || fail 'inside it is worse'
  diff "$out/outside.verdicts" "$out/inside.verdicts" || fail 'inside the verdicts are others'
fi
say "$(wc -l <"$out/inside.verdicts") specs have the same verdict inside the cluster as outside"
