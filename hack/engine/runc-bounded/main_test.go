package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLackingInReadsTheBoundingSet(t *testing.T) {
	lacking, err := lackingIn("CapEff:\t0\nCapBnd:\t000001fffeffffff\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(lacking) != 1 || !lacking["CAP_SYS_RESOURCE"] {
		t.Errorf("lacking %v, want only CAP_SYS_RESOURCE", lacking)
	}
	if _, err := lackingIn("CapBnd: nonsense"); err == nil {
		t.Error("a bounding set that is not a number was accepted")
	}
	if _, err := lackingIn(""); err == nil {
		t.Error("a status without a bounding set was accepted")
	}
}

func TestDocumentOf(t *testing.T) {
	for _, c := range []struct {
		args string
		want document
	}{
		{"--root /r --log /l create --bundle /b --pid-file /p id", document{"/b/config.json", true}},
		{"run -b=/b id", document{"/b/config.json", true}},
		{"create id", document{"config.json", true}},
		{"--root /r exec --process /p/file --detach id", document{"/p/file", false}},
		{"exec id true", document{}},
		{"--root /r delete --force id", document{}},
	} {
		if got := documentOf(strings.Fields(c.args)); got != c.want {
			t.Errorf("%q: %+v, want %+v", c.args, got, c.want)
		}
	}
}

func TestWithoutTakesOutOnlyWhatIsLacking(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	config := `{"ociVersion":"1.0.2","process":{"args":["a<b"],"capabilities":{"bounding":["CAP_KILL","CAP_SYS_RESOURCE"],"ambient":[]}},"big":9007199254740993}`
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (document{path, true}).without(map[string]bool{"CAP_SYS_RESOURCE": true}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Process struct {
			Args         []string
			Capabilities map[string][]string
		}
		Big json.Number
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if b := got.Process.Capabilities["bounding"]; len(b) != 1 || b[0] != "CAP_KILL" {
		t.Errorf("bounding set %v, want [CAP_KILL]", b)
	}
	if got.Big != "9007199254740993" || got.Process.Args[0] != "a<b" {
		t.Errorf("something else changed: %s", data)
	}
	if err := (document{path + ".not", true}).without(nil); err == nil {
		t.Error("a missing file was accepted")
	}
}

func TestEditLeavesAProcessWithoutCapabilitiesAlone(t *testing.T) {
	const process = `{"args":["true"]}`
	edited, err := edit([]byte(process), false, map[string]bool{"CAP_KILL": true})
	if err != nil || string(edited) != process {
		t.Errorf("got %s, %v", edited, err)
	}
}
