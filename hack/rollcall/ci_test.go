package main

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	kubernetesyaml "sigs.k8s.io/yaml"

	"rollcall.dev/framework/report"
)

// workflow is decoded strictly: a key that it does not have would be refused by GitHub.
type workflow struct {
	Name string
	On   struct {
		PullRequest any `yaml:"pull_request"`
		Schedule    []struct{ Cron string }
	}
	Permissions map[string]string
	Jobs        map[string]struct {
		RunsOn  string `yaml:"runs-on"`
		Minutes int    `yaml:"timeout-minutes"`
		Env     map[string]string
		Steps   []step
	}
}

type step struct {
	Name, Uses, Run, If string
	Directory           string `yaml:"working-directory"`
	With, Env           map[string]string
}

func TestTheWorkflowGatesOnTheReport(t *testing.T) {
	var w workflow
	decoder := yaml.NewDecoder(bytes.NewReader(read(t, "../ci/github-actions.yaml")))
	decoder.KnownFields(true)
	if err := decoder.Decode(&w); err != nil {
		t.Fatal(err)
	}
	job, ok := w.Jobs["rollcall"]
	if !ok || len(w.Jobs) != 1 || job.RunsOn == "" || job.Minutes == 0 || len(w.On.Schedule) == 0 {
		t.Fatalf("the workflow has no job rollcall that is run now and then on something for some time: %+v", w)
	}
	var script strings.Builder
	checkedOut, kept := map[string]bool{}, ""
	for _, s := range job.Steps {
		if (s.Uses == "") == (s.Run == "") {
			t.Errorf("a step either uses something or runs something: %+v", s)
		}
		if s.Uses != "" && !strings.Contains(s.Uses, "@v") {
			t.Errorf("the version of %s is anybody's guess", s.Uses)
		}
		switch action, _, _ := strings.Cut(s.Uses, "@"); action {
		case "actions/checkout":
			checkedOut[s.With["path"]] = true
		case "actions/upload-artifact":
			kept = s.With["path"]
			if s.If != "always()" {
				t.Error("what a run that failed has left is not kept")
			}
		}
		if s.Run == "" {
			continue
		}
		if !checkedOut[s.Directory] {
			t.Errorf("%q runs in %q, which is not there yet", s.Run, s.Directory)
		}
		for name, value := range s.Env {
			script.WriteString(name + "=" + value + "\n")
		}
		script.WriteString(s.Run + "\n")
	}
	if kept != "rollcall/_artifacts" {
		t.Errorf("%q is kept, and the report is in rollcall/_artifacts", kept)
	}
	checkScript(t, script.String(), "_artifacts/report.yaml")
	checkIdentity(t, func(name string) string { return job.Env[name] })
}

func TestTheProwJobGatesOnTheReport(t *testing.T) {
	var file struct {
		Periodics []struct {
			Name       string `json:"name"`
			Interval   string `json:"interval"`
			Decorate   bool   `json:"decorate"`
			Decoration struct {
				Timeout string `json:"timeout"`
			} `json:"decoration_config"`
			Repositories []struct {
				Org  string `json:"org"`
				Repo string `json:"repo"`
				Base string `json:"base_ref"`
			} `json:"extra_refs"`
			Spec corev1.PodSpec `json:"spec"`
		} `json:"periodics"`
	}
	if err := kubernetesyaml.UnmarshalStrict(read(t, "../ci/prow.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Periodics) != 1 || len(file.Periodics[0].Spec.Containers) != 1 {
		t.Fatal("there is not one job of one container")
	}
	job := file.Periodics[0]
	for _, text := range []string{job.Interval, job.Decoration.Timeout} {
		if _, err := time.ParseDuration(text); err != nil {
			t.Error(err)
		}
	}
	if !job.Decorate || len(job.Repositories) == 0 || job.Repositories[0].Repo != "rollcall" {
		t.Error("Prow neither fetches the suite first nor keeps its artifacts")
	}
	container := job.Spec.Containers[0]
	if !slices.Equal(container.Command, []string{"bash", "-ec"}) || len(container.Args) != 1 {
		t.Fatalf("%q %q does not end with the first command that fails", container.Command, container.Args)
	}
	checkScript(t, container.Args[0], "$ARTIFACTS/report.yaml")
	checkIdentity(t, func(name string) string {
		for _, v := range container.Env {
			if v.Name == name {
				return v.Value
			}
		}
		return ""
	})
}

// checkScript wants the suite to be run, then its report to be looked at and compared, by commands that there are.
func checkScript(t *testing.T, script, reportPath string) {
	t.Helper()
	parses := exec.Command("bash", "-n")
	parses.Stdin = strings.NewReader(script)
	if out, err := parses.CombinedOutput(); err != nil {
		t.Errorf("%s", out)
	}
	makefile := string(read(t, "../../Makefile"))
	var order []string
	for _, match := range regexp.MustCompile(`(make|\.cache/bin/rollcall) ([a-z0-9-]+)`).FindAllStringSubmatch(script, -1) {
		order = append(order, match[2])
		if match[1] == "make" && !strings.Contains(makefile, "\n"+match[2]+": ") {
			t.Errorf("there is no target %s", match[2])
		}
		if cmd, _, err := rootCommand().Find([]string{match[2]}); match[1] != "make" && (err != nil || cmd.Name() != match[2]) {
			t.Errorf("rollcall has no command %s", match[2])
		}
	}
	if want := []string{"e2e", "publishable", "compare"}; !slices.Equal(order, want) {
		t.Errorf("it does %v, want %v", order, want)
	}
	if strings.Count(script, reportPath) < 2 {
		t.Errorf("%s is not what is looked at and compared", reportPath)
	}
}

// checkIdentity wants the variables without which publishable refuses the report.
func checkIdentity(t *testing.T, env func(string) string) {
	t.Helper()
	if err := report.IdentityFrom(env).RequireIdentity(); err != nil {
		t.Error(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
