package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// LeastNodes is how few nodes the suite can say anything about: with one, "only on that node" means nothing.
const LeastNodes = 2

// The one object that a run puts outside its own namespaces: the task page's DaemonSet.
const sharedNamespace, sharedName = "kube-system", "fluentd-elasticsearch"

// RunLabel is on every object that a run creates; its value is the run's id. What does not carry it is never touched.
const RunLabel = "rollcall.dev/run"

// Finding is what Preflight learned about a cluster that the suite could be run on.
type Finding struct {
	// Version of the API server.
	Version string
	// Nodes are those that a DaemonSet without tolerations runs on, by name.
	Nodes []string
	// Excluded says of each other node why it is not one of them.
	Excluded map[string]string
	// Problems must be mended first. One line each, with what to do.
	Problems []string
}

// Err returns the problems as one error, nil if there are none.
func (f Finding) Err() error {
	var all []error
	for _, p := range f.Problems {
		all = append(all, errors.New(p))
	}
	return errors.Join(all...)
}

// Preflight looks whether the suite can run: the server answers, we may do what we will do, there are nodes, and nothing
// of somebody else's is where the task page's DaemonSet goes. It creates nothing (access reviews are answered, not stored).
// It takes at most five seconds. A shard looks past what others of its kind are doing to the cluster.
func Preflight(ctx context.Context, config *rest.Config, shard bool) Finding {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	f := Finding{Excluded: map[string]string{}}
	problem := func(format string, args ...any) { f.Problems = append(f.Problems, fmt.Sprintf(format, args...)) }

	config = rest.CopyConfig(config)
	config.QPS, config.Burst, config.Timeout = 100, 200, 5*time.Second
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		problem("no client can be made for %s: %v", config.Host, err)
		return f
	}
	version, err := client.ServerVersion()
	if err != nil {
		problem("the API server at %s %s", config.Host, reach(err))
		return f
	}
	f.Version = version.GitVersion

	refused, err := refusals(ctx, client)
	switch {
	case err != nil:
		problem("asking the API server what we may do: %v", err)
	case len(refused) > 0:
		const most = 6
		if more := len(refused) - most; more > 0 {
			refused = append(refused[:most], fmt.Sprintf("and %d more", more))
		}
		problem("this user may not: %s; grant it (a cluster-admin binding is enough) or use another kubeconfig", strings.Join(refused, ", "))
		return f // what follows would only repeat it
	}

	look := func(n *corev1.Node) *corev1.Node { return n }
	if shard {
		look = unmarked
	}
	if err := f.sortNodes(ctx, client, look); err != nil {
		problem("listing nodes: %v", err)
		return f
	}
	if len(f.Nodes) < LeastNodes {
		problem("%d of %d nodes can be used, at least %d are needed%s", len(f.Nodes), len(f.Nodes)+len(f.Excluded), LeastNodes, f.exclusions())
	}

	const namespace, name = sharedNamespace, sharedName
	switch ds, err := client.AppsV1().DaemonSets(namespace).Get(ctx, name, metav1.GetOptions{}); {
	case err == nil && ds.Labels[RunLabel] == "":
		problem("there is a DaemonSet %s/%s that is not ours: rename it, or run on another cluster (the walk-through creates one of that name)", namespace, name)
	case err == nil && shard && !NewVigil().Dead(ctx, client, ds.Labels[RunLabel]):
	case err == nil:
		problem("DaemonSet %s/%s is left over from, or in use by, run %s: make sweep removes what a dead run left", namespace, name, ds.Labels[RunLabel])
	case !apierrors.IsNotFound(err):
		problem("looking for DaemonSet %s/%s: %v", namespace, name, err)
	}
	return f
}

// Examine is Preflight for the cluster of a state, with the problems as an error.
func Examine(ctx context.Context, s State, shard bool) (Finding, error) {
	config, err := RestConfig(s)
	if err != nil {
		return Finding{}, err
	}
	finding := Preflight(ctx, config, shard)
	return finding, finding.Err()
}

// UsableNodes returns the names of the nodes that a DaemonSet without tolerations runs on now.
func UsableNodes(ctx context.Context, client kubernetes.Interface) ([]string, error) {
	f := Finding{Excluded: map[string]string{}}
	err := f.sortNodes(ctx, client, func(n *corev1.Node) *corev1.Node { return n })
	return f.Nodes, err
}

// unmarked is a node without what a run's spec does to one that it has leased, and takes back.
func unmarked(node *corev1.Node) *corev1.Node {
	node = node.DeepCopy()
	_, cordoned := node.Annotations[CordonAnnotation]
	if cordoned {
		node.Spec.Unschedulable = false
	}
	node.Spec.Taints = slices.DeleteFunc(node.Spec.Taints, func(t corev1.Taint) bool {
		return strings.HasPrefix(t.Key, TaintPrefix) || cordoned && t.Key == corev1.TaintNodeUnschedulable
	})
	return node
}

func (f *Finding) sortNodes(ctx context.Context, client kubernetes.Interface, look func(*corev1.Node) *corev1.Node) error {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range nodes.Items {
		node := look(&nodes.Items[i])
		if why := unusable(node); why != "" {
			f.Excluded[node.Name] = why
		} else {
			f.Nodes = append(f.Nodes, node.Name)
		}
	}
	slices.Sort(f.Nodes)
	return nil
}

// exclusions is a clause that says why each unusable node is unusable, shortest first where there are many.
func (f Finding) exclusions() string {
	var all []string
	for node, why := range f.Excluded {
		all = append(all, node+" "+why)
	}
	slices.Sort(all)
	if len(all) > 5 {
		all = append(all[:5], fmt.Sprintf("and %d more", len(all)-5))
	}
	if len(all) == 0 {
		return ""
	}
	return ": " + strings.Join(all, "; ")
}

// reach finishes the sentence "the API server at … " for an error of the first request.
func reach(err error) string {
	var network net.Error
	switch {
	case apierrors.IsUnauthorized(err):
		return "does not accept the kubeconfig's credentials; renew them"
	case apierrors.IsForbidden(err):
		return "refuses even its version to this user: " + err.Error()
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "did not answer within 5 s; is it up, and is this the right kubeconfig?"
	default:
		return "cannot be reached; is it up, and is this the right kubeconfig? " + err.Error()
	}
}

// unusable says why a DaemonSet without tolerations has no place on the node, "" if it has.
func unusable(node *corev1.Node) string {
	for _, t := range node.Spec.Taints {
		if t.Effect == corev1.TaintEffectPreferNoSchedule {
			continue
		}
		if t.Key == corev1.TaintNodeUnschedulable {
			return "is cordoned (kubectl uncordon " + node.Name + ")"
		}
		return fmt.Sprintf("has the taint %s", t.ToString())
	}
	if node.Spec.Unschedulable {
		return "is cordoned (kubectl uncordon " + node.Name + ")"
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			return ""
		}
	}
	return "is not Ready"
}

// need is a permission that the suite uses. None is here for its own sake: rbac.yaml of hack/ci/in-cluster grants these and no more.
type need struct {
	group, resource, subresource string
	verbs                        []string
}

var needs = []need{
	{"", "namespaces", "", []string{"create", "get", "list", "watch", "delete"}},
	{"", "nodes", "", []string{"get", "list", "watch", "update", "patch"}},
	{"", "nodes", "status", []string{"update"}},
	{"", "pods", "", []string{"create", "get", "list", "watch", "update", "patch", "delete", "deletecollection"}},
	{"", "pods", "status", []string{"update", "patch"}},
	{"", "pods", "eviction", []string{"create"}},
	{"", "configmaps", "", []string{"create", "get", "list", "watch", "update"}},
	{"", "resourcequotas", "", []string{"create", "watch", "delete"}},
	{"", "events", "", []string{"list", "delete"}},
	{"", "serviceaccounts", "", []string{"watch"}},
	{"coordination.k8s.io", "leases", "", []string{"create", "get", "patch"}},
	{"apps", "daemonsets", "", []string{"create", "get", "list", "watch", "update", "patch", "delete", "deletecollection"}},
	{"apps", "daemonsets", "status", []string{"patch"}},
	{"apps", "controllerrevisions", "", []string{"create", "get", "list", "watch", "update", "delete"}},
	{"policy", "poddisruptionbudgets", "", []string{"create"}},
}

// Rules are the permissions that a run needs, for a role of its own.
func Rules() []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	for _, n := range needs {
		resource := strings.TrimSuffix(n.resource+"/"+n.subresource, "/")
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{n.group}, Resources: []string{resource}, Verbs: n.verbs})
	}
	return rules
}

// refusals lists what the user may not do, as "verb resource". The questions are asked side by side.
func refusals(ctx context.Context, client kubernetes.Interface) ([]string, error) {
	type answer struct {
		refused string
		err     error
	}
	answers := make(chan answer)
	asked := 0
	for _, n := range needs {
		for _, verb := range n.verbs {
			asked++
			go func() {
				review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
					ResourceAttributes: &authorizationv1.ResourceAttributes{Group: n.group, Resource: n.resource, Subresource: n.subresource, Verb: verb},
				}}
				got, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
				a := answer{err: err}
				if err == nil && !got.Status.Allowed {
					a.refused = strings.TrimSuffix(verb+" "+n.resource+"/"+n.subresource, "/")
				}
				answers <- a
			}()
		}
	}
	var refused []string
	var failed error
	for range asked {
		a := <-answers
		if a.err != nil {
			failed = a.err
		}
		if a.refused != "" {
			refused = append(refused, a.refused)
		}
	}
	slices.Sort(refused)
	return refused, failed
}
