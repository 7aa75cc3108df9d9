package upgrade

import (
	"context"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("A DaemonSet whose control plane is replaced by another version's", Serial, Ordered, ContinueOnFailure, func() {
	r := rollout.New()

	It("keeps its pods and its record, and its update goes on, with each minor version upwards", catalog.Covers("I-12", "M-22"), func(ctx SpecContext) {
		r.Nodes(ctx, nodes)
		through(ctx, r, ahead(r))
	})

	// A control plane may be taken back by one minor version: the API server stores nothing that its predecessor cannot read.
	It("keeps its pods and its record, and its update goes on, with the minor version before", catalog.Covers("I-12", "M-22"), func(ctx SpecContext) {
		releases := r.Releases()
		for _, release := range ahead(r) {
			r.Upgrade(ctx, release)
		}
		r.Nodes(ctx, nodes)
		through(ctx, r, releases[len(releases)-2:len(releases)-1])
	})
})

const nodes = 4

// ahead are the versions that the control plane does not have yet.
func ahead(r *rollout.R) []cluster.Release {
	GinkgoHelper()
	releases := r.Releases()
	version, err := r.Client.Discovery().ServerVersion()
	Expect(err).NotTo(HaveOccurred())
	at := slices.IndexFunc(releases, func(release cluster.Release) bool { return release.Version == version.GitVersion })
	return releases[at+1:]
}

// through gives the control plane one version after the other, each in the middle of an update, and looks what became of the DaemonSets.
func through(ctx context.Context, r *rollout.R, releases []cluster.Release) {
	GinkgoHelper()
	still := []*kept{atRest(ctx, r), stuck(ctx, r), onDelete(ctx, r)}
	// Its updates go to and fro between two templates, so that each version has to know what another one recorded.
	editions := []string{"even", "odd"}
	moving := r.Create(ctx, fixtures.Fluentd(), rollout.Named("moving"), furnished, rollout.Edition(editions[0]), rollout.MaxUnavailable(1), rollout.MinReadySeconds(2))
	r.Eventually(ctx, moving).Should(rollout.BeComplete())
	var further []string // the last thing that is told: all else is looked at before
	for i, release := range releases {
		edition := editions[(i+1)%2]
		r.Update(ctx, moving, rollout.Edition(edition))
		updated := rollout.OfEdition(edition)
		half := r.Eventually(ctx, moving).Should(rollout.HavePods(2, "of the new template", updated))
		r.Upgrade(ctx, release)
		after := r.Eventually(ctx, moving).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(nodes, "of the new template", updated)))
		Expect(after.Pods).To(ContainElements(rollout.SamePods(rollout.Where(half.Pods, updated))...), "pods that were up to date before the change to %s should run on", release.Version)
		if n := len(after.Revisions); n != 2 {
			further = append(further, fmt.Sprintf("DaemonSet %s should have a revision for each of its two templates with %s, but it has %d", moving.Name, release.Version, n))
		}
		r.Settle(ctx)
		for _, k := range still {
			further = append(further, k.look(r, release)...)
		}
	}
	for _, k := range still {
		k.resume(ctx)
	}
	rollout.Deviating(func() { Expect(further).To(BeEmpty(), strings.Join(further, "\n")) })
}
