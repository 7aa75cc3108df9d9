# Rollcall: does this Kubernetes keep its promises while a DaemonSet is updated?
# The targets that people use have a line of help; make without a target prints them. Settings are variables: see README.md.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# What the contract's variables are set to on the command line reaches the programs through the environment.
export

# Compiled once and run as a program of its own, so that an interrupt reaches it and not the go command.
ROLLCALL := .cache/bin/rollcall
TOOLS    := .cache/bin

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: rollcall
rollcall:
	@mkdir -p $(TOOLS)
	@go build -o $(ROLLCALL) ./hack/rollcall

.PHONY: e2e
e2e: rollcall ## a cluster, the suite, a report, the cluster gone again
	@$(ROLLCALL) e2e

.PHONY: e2e-scale
e2e-scale: rollcall ## the specs for large clusters, on NODES=1000 simulated nodes (up to 5000), one after another
	@$(ROLLCALL) scale

.PHONY: test
test: ## the project's own tests; no container engine, no cluster
	go test ./...

.PHONY: verify
verify: ## lint, formatting, generated files up to date, catalog and specs agree
	@hack/verify.sh

.PHONY: generate
generate: ## bring generated files up to date
	@go test -count=1 -run '^TestCatalog$$' ./suites -update

.PHONY: list
list: rollcall ## the specs with their labels, without a cluster
	@$(ROLLCALL) list

.PHONY: rejudge
rejudge: rollcall ## judge saved histories again, without a cluster: HISTORY=<file or folder>
	@$(ROLLCALL) rejudge

.PHONY: bench
bench: ## what recording and judging cost, in Go's own format; the API server's share where one was built
	ROLLCALL_BINARIES=$$(ls -dt "$$PWD"/.cache/kubernetes/v*-* 2>/dev/null | head -1) go test -run '^$$' -bench . -benchmem ./framework/history ./framework/invariant

.PHONY: bench-peer
bench-peer: rollcall ## upstream's own specs and these, ROUNDS=3 times in turn on one cluster and on the same MUTANTS=10: hack/peer/BENCHMARK.md; AGAIN=1 measures anew
	@go run ./hack/peer build rounds mutants-upstream mutants-rollcall table

.PHONY: mutants
mutants: rollcall ## the kill matrix: the controller broken in 187 ways, and which spec notices; SAMPLE=10 tries the day's ten, OPERATORS=20 SEED=n so many that nobody thought of
	@go run ./hack/mutants run; status=$$?; go run ./hack/mutants matrix && exit $$status

.PHONY: matrix
matrix: rollcall ## the suite on each Kubernetes version, or on VERSIONS='1.36.3 1.34.4', side by side
	@$(ROLLCALL) matrix

.PHONY: upgrade
upgrade: rollcall ## a control plane taken from version to version under its DaemonSets: FROM=1.34.4 TO=1.36.3
	@$(ROLLCALL) upgrade

.PHONY: correct
correct: rollcall ## controllers that are correct, in several ways, and what the suite says of each: it must accuse none
	@hack/correct.sh

.PHONY: soak
soak: rollcall ## the suite over and over, under faults that must change no verdict, for DURATION=1h; SEED=n begins like an earlier one
	@$(ROLLCALL) soak

.PHONY: track-record
track-record: rollcall ## bugs that Kubernetes has had: the controllers that had them, and the specs that tell
	@hack/trackrecord.sh

.PHONY: compare
compare: rollcall ## what differs between two reports: A=report.yaml B=report.yaml, as a page too: HTML=compare.html; in a script rather .cache/bin/rollcall compare: see its --help
	@$(ROLLCALL) compare

.PHONY: merge
merge: rollcall ## one report of what make e2e SHARD=0/3, SHARD=1/3 and SHARD=2/3 left
	@$(ROLLCALL) merge

.PHONY: publishable
publishable: rollcall ## whether a report is whole and says who made what it judges: REPORT=report.yaml
	@$(ROLLCALL) publishable

.PHONY: cluster-up
cluster-up: rollcall ## a cluster that stays; make e2e REUSE=1 uses it
	@$(ROLLCALL) up

.PHONY: cluster-down
cluster-down: rollcall ## take it away
	@$(ROLLCALL) down

.PHONY: sweep
sweep: rollcall ## remove what crashed runs left behind
	@$(ROLLCALL) sweep

.PHONY: build
build: rollcall ## build Kubernetes from source, for both kinds of cluster or only for PROVIDER's
	@$(ROLLCALL) build

.PHONY: controller
controller: rollcall ## build the DaemonSet controller alone and print its path
	@$(ROLLCALL) controller

.PHONY: example-controller
example-controller: ## build the small controller of hack/controller and print its path
	@mkdir -p $(TOOLS)
	@go build -o $(TOOLS)/example-controller ./hack/controller
	@echo $(CURDIR)/$(TOOLS)/example-controller

.PHONY: image
image: rollcall ## the image that runs the suite inside a cluster, as an archive and in docker if there is one
	@$(ROLLCALL) image

.PHONY: e2e-in-cluster
e2e-in-cluster: rollcall ## the suite as a Job in a kind cluster, or with SHARDS=3 as one of three pods; its verdicts must be those of a run from outside, or of REPORT=report.yaml
	@hack/in-cluster.sh

.PHONY: engine
engine: ## a container engine on a Debian machine that has none; for make node-image and PROVIDER=kind
	@go run ./hack/engine start

.PHONY: node-image
node-image: rollcall ## build kind's node image from source, for machines without a registry
	@$(ROLLCALL) node-image
