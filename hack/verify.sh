#!/usr/bin/env bash
# What must be true of the sources before anybody runs them: formatting, lint, module files, generated files, the catalog and the
# specs agree, and the judge does not import the judged. Every problem is told, not only the first.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=.cache/bin
mkdir -p "$bin"
failed=0
fail() { printf 'verify: %s\n' "$*" >&2; failed=1; }
step() { printf 'verify: %s\n' "$*"; }

step "formatting"
unformatted=$(git ls-files -co --exclude-standard '*.go' | xargs -r gofmt -l)
[ -z "$unformatted" ] || fail "gofmt would change: $unformatted"

step "module files"
while read -r mod; do
  dir=$(dirname "$mod")
  (cd "$dir" && GOFLAGS=-mod=mod go mod verify >/dev/null && go list -mod=readonly all >/dev/null) 2>/tmp/rollcall-verify.$$ ||
    fail "$mod: $(tail -n 1 /tmp/rollcall-verify.$$)"
done < <(git ls-files -co --exclude-standard 'go.mod' '*/go.mod' | grep -v '^hack/kubernetes/')
rm -f /tmp/rollcall-verify.$$

step "the example of importing the suites"
(cd hack/example-import && go mod tidy -diff && go vet ./...) || fail "hack/example-import does not follow: go mod tidy there, or mend its tests"

step "vet"
go vet ./... || fail "go vet complains"

step "lint"
# Built from hack/tools' pinned sources, once: the slow part of a cold run.
(cd hack/tools && CGO_ENABLED=0 go build -o "../../$bin/golangci-lint" github.com/golangci/golangci-lint/v2/cmd/golangci-lint) ||
  fail "golangci-lint cannot be built"
"$bin/golangci-lint" run --allow-parallel-runners ./... || fail "golangci-lint complains"

step "the judge does not import the judged"
imports=$(grep -rln '"k8s.io/kubernetes/' --include='*.go' framework suites fixtures)
[ -z "$imports" ] || fail "k8s.io/kubernetes is imported by $imports"

step "the catalog and the specs agree"
go test -count=1 -run '^TestCatalog' ./suites >/tmp/rollcall-verify.$$ 2>&1 || fail "$(grep -v '^\(ok\|FAIL\|---\)' /tmp/rollcall-verify.$$)"
rm -f /tmp/rollcall-verify.$$

step "shell"
while read -r script; do bash -n "$script" || fail "$script does not parse"; done < <(git ls-files -co --exclude-standard '*.sh' .ci/run)

[ "$failed" = 0 ] && step "all is well"
exit "$failed"
