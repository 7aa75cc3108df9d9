#!/usr/bin/env bash
# The suite inside the cluster that it judges: its image is made, brought to a kind cluster, and run there as the Job of hack/ci/in-cluster.
# It must come to the same verdicts as a run from outside: that of the report in REPORT, or one that is made here.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${ARTIFACTS:-_artifacts}/in-cluster
focus=${FOCUS:-The task page|A stuck rollout|After the task page|The update strategy OnDelete}
outside=${REPORT:-}
unset ARTIFACTS FOCUS REPORT KUBECONFIG RESULTS PROVIDER REUSE
rollcall=.cache/bin/rollcall
began=$SECONDS
say() { printf 'in-cluster: %s (%d s)\n' "$*" $((SECONDS - began)); }
fail() { say "FAILED: $*"; exit 1; }
rm -rf "$out" && mkdir -p "$out/inside"

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
# kind's node image of this repository has no kube-proxy, so the service's address, which pods are told, leads nowhere.
server=$(kubectl get endpointslices --selector kubernetes.io/service-name=kubernetes --output 'jsonpath={.items[0].endpoints[0].addresses[0]}:{.items[0].ports[0].port}')
kubectl set env --local --filename hack/ci/in-cluster/job.yaml --output yaml \
  KUBERNETES_SERVICE_HOST="${server%:*}" KUBERNETES_SERVICE_PORT="${server##*:}" FOCUS="$focus" | kubectl apply -f -
kubectl wait --namespace rollcall --for=condition=Ready pod --selector job-name=rollcall --timeout=120s
timeout 20m kubectl logs --namespace rollcall --follow job/rollcall | tee "$out/inside/log"
kubectl wait --namespace rollcall --for=condition=Complete job/rollcall --timeout=60s || fail 'the Job has not passed'
for file in report.yaml junit.xml index.html; do
  kubectl get configmap --namespace rollcall rollcall-results --output "jsonpath={.binaryData.${file//./\\.}\.gz}" | base64 -d | gunzip >"$out/inside/$file"
done
say 'the Job is done'
left=$(kubectl get namespaces --selector rollcall.dev/run --output name)
[ -z "$left" ] || fail "the Job has left $left"

if [ -z "$outside" ]; then
  cp "$KUBECONFIG" "$out/account" # as the Job's service account: what that may not do is skipped
  kubectl --kubeconfig "$out/account" config set-credentials rollcall --token="$(kubectl create token --namespace rollcall rollcall)"
  kubectl --kubeconfig "$out/account" config set-context --current --user=rollcall
  PROVIDER=existing KUBECONFIG=$out/account FOCUS=$focus ARTIFACTS=$out/outside "$rollcall" e2e || fail 'the run from outside has not passed'
  outside=$out/outside/report.yaml
  say 'the run from outside is done'
fi
A=$outside B=$out/inside/report.yaml "$rollcall" compare || fail 'inside it is worse'
# Nor may it be better.
verdicts() { awk '/^specs:/ {s=1} s && /^- name:/ {name=$0} s && /^  verdict:/ {print name ":" $2}' "$1" | sort; }
verdicts "$outside" >"$out/outside.verdicts"
verdicts "$out/inside/report.yaml" >"$out/inside.verdicts"
[ -s "$out/inside.verdicts" ] || fail 'the report has no verdicts'
diff "$out/outside.verdicts" "$out/inside.verdicts" || fail 'inside the verdicts are others'
say "$(wc -l <"$out/inside.verdicts") specs have the same verdict inside the cluster as outside"
