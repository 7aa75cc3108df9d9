package simulated

import (
	"fmt"
	"regexp"
	"strings"
)

// knownImages are the images that the simulated nodes can pull, as regular expressions over the whole name as a pod spells it; every
// other image fails with ErrImagePull, unless LoadImage makes it known. Nothing is pulled: a name is all that is looked at, and pull
// policies and pull secrets play no part.
var knownImages = []string{
	// What the fixtures and the task page use, and our stand-in under its own name.
	`quay\.io/fluentd_elasticsearch/fluentd:v2\.[0-9]+\.[0-9]+`,
	`rollcall\.dev/standin(:[\w.-]+)?`,
	// What upstream's end-to-end specs run.
	`registry\.k8s\.io/pause(:[\w.-]+)?`,
	`registry\.k8s\.io/e2e-test-images/[a-z0-9-]+:[\w.-]+`,
	// The images of the documentation's examples, with a plain version as tag.
	`(docker\.io/(library/)?)?(busybox|nginx|httpd|alpine|debian|ubuntu|redis)(:(latest|stable|[0-9][0-9.]*(-[a-z0-9.]+)?))?`,
}

// missingImages are exceptions: names that match the table but that a spec uses because nobody has them.
const missingImages = `(non-?existent|does-?not-?exist|not-?found|no-such|missing|invalid|broken|:404)`

// knownPattern is the table as one expression.
func knownPattern() string {
	return "^(" + strings.Join(knownImages, "|") + ")(@sha256:[0-9a-f]{64})?$"
}

// checkImage refuses what cannot be an image's name, so that a typing error is not loaded in silence.
func checkImage(image string) error {
	if !regexp.MustCompile(`^[a-z0-9][\w./:@-]*$`).MatchString(image) {
		return fmt.Errorf("%q is not an image name", image)
	}
	return nil
}
