package simulated

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// SkewClock implements cluster.ClockSkewer: from now on node writes times that are ahead by that much. What it has written stays, and its own
// timers (probes, back-offs, termination) measure as before. Times in statuses have whole seconds, and so has the effect.
func (p *Provider) SkewClock(ctx context.Context, node string, ahead time.Duration) error {
	if err := p.changeNode(ctx, node, func(f *faults) {
		if ahead == 0 {
			delete(f.Clocks, node)
		} else {
			f.Clocks[node] = ahead.String()
		}
	}, on(node), awaits); err != nil {
		return fmt.Errorf("setting the clock of %s: %w", node, err)
	}
	return nil
}

// RejectPods implements cluster.PodRejecter. Pods that the node has admitted before are not touched.
func (p *Provider) RejectPods(ctx context.Context, node, reason string) error {
	if !regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`).MatchString(reason) {
		return fmt.Errorf("rejecting pods on %s: %q is not a reason such as OutOfcpu", node, reason)
	}
	if err := p.changeNode(ctx, node, func(f *faults) { f.Rejecting[node] = reason }, on(node), unseen); err != nil {
		return fmt.Errorf("rejecting pods on %s: %w", node, err)
	}
	return nil
}

// AcceptPods implements cluster.PodRejecter.
func (p *Provider) AcceptPods(ctx context.Context, node string) error {
	if err := p.changeFor(ctx, func(f *faults) { delete(f.Rejecting, node) }, on(node), unseen); err != nil {
		return fmt.Errorf("accepting pods on %s: %w", node, err)
	}
	return nil
}

// LoadImage makes an image known to all nodes, by its name as pods spell it. A pod that waits in ImagePullBackOff finds it at its
// next attempt, as under a kubelet.
func (p *Provider) LoadImage(ctx context.Context, image string, _ ...string) error {
	if err := checkImage(image); err != nil {
		return fmt.Errorf("loading an image: %w", err)
	}
	uses := func(pod *corev1.Pod) bool {
		return awaits(pod) && slices.ContainsFunc(slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers), func(c corev1.Container) bool {
			return c.Image == image
		})
	}
	if err := p.changeFor(ctx, func(f *faults) { f.Loaded[image] = "loaded" }, "", uses); err != nil {
		return fmt.Errorf("loading image %s: %w", image, err)
	}
	return nil
}

// LoadImageArchive always fails: simulated nodes know images by name only.
func (p *Provider) LoadImageArchive(context.Context, string, ...string) error {
	return errors.New("a simulated node runs nothing, so it has no use for an archive: use LoadImage with the image's name")
}

// changeNode is changeFor with a node that must exist.
func (p *Provider) changeNode(ctx context.Context, node string, change func(*faults), fields string, match func(*corev1.Pod) bool) error {
	client, err := p.client()
	if err != nil {
		return err
	}
	if err := exists(ctx, client, node); err != nil {
		return err
	}
	return p.changeFor(ctx, change, fields, match)
}

// changeFor is change, after which kwok plans anew for the pods that match.
func (p *Provider) changeFor(ctx context.Context, change func(*faults), fields string, match func(*corev1.Pod) bool) error {
	if err := p.change(ctx, change); err != nil {
		return err
	}
	client, err := p.client()
	if err != nil {
		return err
	}
	return replan(ctx, client, fields, match)
}

// unseen reports whether a pod's kubelet has neither admitted nor rejected it.
func unseen(pod *corev1.Pod) bool { return pod.Status.StartTime == nil }
