package main

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// writeStatus writes what v shows, and that this generation has been seen, if that is news. The write names the version it was made from: one
// that has been overtaken is refused, so nothing ever goes backwards.
func (c *controller) writeStatus(ctx context.Context, v *view) error {
	set := v.set.DeepCopy()
	set.Status = v.status(time.Now())
	if equality.Semantic.DeepEqual(set.Status, v.set.Status) {
		return nil
	}
	_, err := c.client.AppsV1().DaemonSets(set.Namespace).UpdateStatus(ctx, set, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// status counts nodes. A pod that is ending serves nobody, so it counts as there and as nothing more.
func (v *view) status(now time.Time) appsv1.DaemonSetStatus {
	s := v.set.Status
	s.ObservedGeneration = v.set.Generation
	s.DesiredNumberScheduled, s.CurrentNumberScheduled, s.NumberMisscheduled = 0, 0, 0
	s.NumberReady, s.NumberAvailable, s.UpdatedNumberScheduled = 0, 0, 0
	for _, seat := range v.seats(now) {
		if !seat.run {
			if seat.exists && seat.present > 0 {
				s.NumberMisscheduled++
			}
			continue
		}
		s.DesiredNumberScheduled++
		if seat.present > 0 {
			s.CurrentNumberScheduled++
		}
		if seat.ready {
			s.NumberReady++
		}
		if seat.available {
			s.NumberAvailable++
		}
		if seat.updated {
			s.UpdatedNumberScheduled++
		}
	}
	s.NumberUnavailable = s.DesiredNumberScheduled - s.NumberAvailable
	return s
}
