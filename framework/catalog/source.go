package catalog

import (
	"fmt"
	"regexp"
	"strings"
)

// Source is where a promise or a deviation comes from, in one of these forms:
//
//	UP:69-128      lines of a file of Kubernetes 1.36.3; the abbreviations are in sourceFiles
//	kk#123232      an issue or pull request of kubernetes/kubernetes
//	owner/name#12  one of another repository
//	KEP-1591       a Kubernetes enhancement proposal
//	doc:task       a page of the Kubernetes documentation: task, rollback, concept
type Source string

const (
	kubernetesFile = "https://github.com/kubernetes/kubernetes/blob/v1.36.3/"
	apiFile        = "https://github.com/kubernetes/api/blob/v0.36.3/"
	kubectlFile    = "https://github.com/kubernetes/kubectl/blob/v0.36.3/"
)

var sourceFiles = map[string]string{
	// The API: what is documented, defaulted, converted and validated.
	"TYP": apiFile + "apps/v1/types.go",
	"DEF": kubernetesFile + "pkg/apis/apps/v1/defaults.go",
	"CNV": kubernetesFile + "pkg/apis/apps/v1/conversion.go",
	"VAL": kubernetesFile + "pkg/apis/apps/validation/validation.go",
	"STR": kubernetesFile + "pkg/registry/apps/daemonset/strategy.go",
	"PRN": kubernetesFile + "pkg/printers/internalversion/printers.go",
	// Upstream's controller.
	"DC":  kubernetesFile + "pkg/controller/daemon/daemon_controller.go",
	"UP":  kubernetesFile + "pkg/controller/daemon/update.go",
	"DU":  kubernetesFile + "pkg/controller/daemon/util/daemonset_util.go",
	"CU":  kubernetesFile + "pkg/controller/controller_utils.go",
	"CRM": kubernetesFile + "pkg/controller/controller_ref_manager.go",
	// kubectl.
	"RST": kubectlFile + "pkg/polymorphichelpers/rollout_status.go",
	"RB":  kubectlFile + "pkg/polymorphichelpers/rollback.go",
	"HI":  kubectlFile + "pkg/polymorphichelpers/history.go",
	"PAU": kubectlFile + "pkg/polymorphichelpers/objectpauser.go",
	// Upstream's tests, where they say what is expected.
	"E2E": kubernetesFile + "test/e2e/apps/daemon_set.go",
	"INT": kubernetesFile + "test/integration/daemonset/daemonset_test.go",
	"CMD": kubernetesFile + "test/cmd/apps.sh",
}

var sourcePages = map[string]string{
	"task":     "https://kubernetes.io/docs/tasks/manage-daemon/update-daemon-set/",
	"rollback": "https://kubernetes.io/docs/tasks/manage-daemon/rollback-daemon-set/",
	"concept":  "https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/",
}

var (
	fileSource  = regexp.MustCompile(`^([A-Z][A-Z0-9]+):(\d+)(?:-(\d+))?$`)
	issueSource = regexp.MustCompile(`^(?:kk|([\w.-]+/[\w.-]+))#(\d+)$`)
	kepSource   = regexp.MustCompile(`^KEP-(\d+)$`)
)

// URL is where to read the source. The error says that the source has none of the known forms.
func (s Source) URL() (string, error) {
	text := string(s)
	if page, ok := strings.CutPrefix(text, "doc:"); ok {
		if url, ok := sourcePages[page]; ok {
			return url, nil
		}
	}
	if m := fileSource.FindStringSubmatch(text); m != nil {
		if file, ok := sourceFiles[m[1]]; ok {
			lines := "#L" + m[2]
			if m[3] != "" {
				lines += "-L" + m[3]
			}
			return file + lines, nil
		}
	}
	if m := issueSource.FindStringSubmatch(text); m != nil {
		repository := m[1]
		if repository == "" {
			repository = "kubernetes/kubernetes"
		}
		return fmt.Sprintf("https://github.com/%s/issues/%s", repository, m[2]), nil
	}
	if m := kepSource.FindStringSubmatch(text); m != nil {
		return "https://kep.k8s.io/" + m[1], nil
	}
	return "", fmt.Errorf("unknown form of source %q", text)
}
