package kubectl

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// script is a stand-in for kubectl.
func script(t *testing.T, text string) *Kubectl {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubectl")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return &Kubectl{Path: path, Kubeconfig: "/somewhere"}
}

func TestRunKeepsWhatWasPrinted(t *testing.T) {
	var kept []Result
	k := script(t, `echo "$@"; echo oops >&2; exit 3`)
	k.Keep = func(r Result) { kept = append(kept, r) }
	r, err := k.Run(context.Background(), []string{"get", "ds"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Stdout != "--kubeconfig=/somewhere get ds\n" || r.Stderr != "oops\n" || r.ExitCode != 3 {
		t.Errorf("got %+v", r)
	}
	if len(kept) != 1 || kept[0].ExitCode != 3 {
		t.Errorf("kept %+v", kept)
	}
}

func TestRunLeavesTheUsersSettingsOut(t *testing.T) {
	t.Setenv("KUBECTL_EXTERNAL_DIFF", "x")
	t.Setenv("KUBE_EDITOR", "vi")
	k := script(t, `env | grep -c -e ^KUBECTL_ -e ^KUBE_EDITOR=vi; echo "$KUBE_EDITOR"`)
	r, err := k.Run(context.Background(), nil, Editor("sed -i s/a/b/"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Stdout != "0\nsed -i s/a/b/\n" {
		t.Errorf("got %q", r.Stdout)
	}
}

func TestRunWaitsForItsTurn(t *testing.T) {
	k := script(t, "echo done")
	begun, ended := 0, 0
	k.Begin = func(context.Context) (func(), error) { begun++; return func() { ended++ }, nil }
	if r, err := k.Run(context.Background(), nil); err != nil || r.Stdout != "done\n" || begun != 1 || ended != 1 {
		t.Errorf("got %+v, %v; begun %d times, ended %d times", r, err, begun, ended)
	}
	k.Begin = func(context.Context) (func(), error) { return nil, context.DeadlineExceeded }
	if r, err := k.Run(context.Background(), []string{"get", "ds"}); err == nil || !strings.Contains(err.Error(), "waiting to run kubectl get ds") || r.Stdout != "" {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestRunSaysWhyItWasEnded(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := script(t, "echo begun; exec sleep 60").Run(ctx, []string{"rollout", "status"})
	if err == nil || !strings.Contains(err.Error(), "kubectl rollout status was ended") || !strings.Contains(err.Error(), "begun") {
		t.Errorf("got %v", err)
	}
	if _, err := (&Kubectl{Path: "/does/not/exist"}).Run(context.Background(), []string{"version"}); err == nil {
		t.Error("a kubectl that is not there must be an error")
	}
}

func TestMatchers(t *testing.T) {
	good := Result{Args: []string{"apply"}, Stdout: "daemonset.apps/x created\n"}
	bad := Result{Args: []string{"apply"}, Stderr: "error: no\n", ExitCode: 1}
	for _, c := range []struct {
		name    string
		matches bool
		result  Result
		with    interface{ Match(any) (bool, error) }
	}{
		{"the whole text", true, good, Say("daemonset.apps/x created")},
		{"a part of the text", false, good, Say("created")},
		{"a pattern", true, good, SayMatching(`daemonset\.apps/\w+ created`)},
		{"a pattern for a part", false, good, SayMatching(`created`)},
		{"a refusal", true, bad, Refuse("error: no")},
		{"another refusal", false, bad, Refuse("error: yes")},
		{"no refusal", false, good, Refuse("")},
		{"the text of a failure", false, bad, Say("")},
	} {
		if got, err := c.with.Match(c.result); err != nil || got != c.matches {
			t.Errorf("%s: got %v, %v", c.name, got, err)
		}
	}
	if text := Say("x").FailureMessage(bad); !strings.Contains(text, "$ kubectl apply\nerror: no\n(exit code 1") {
		t.Errorf("the failure does not show the terminal: %s", text)
	}
}
