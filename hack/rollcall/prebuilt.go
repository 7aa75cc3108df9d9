package main

import (
	"cmp"
	"os"
	"path/filepath"
)

// prebuilt is the folder of the suite, ginkgo and kubectl where they came with this program: in an image. It is empty in a checkout,
// where what lies beside this program is of earlier sources, and has no kubectl among it.
var prebuilt = prebuiltBeside(os.Executable())

// builtFrom is the commit of the sources, where there is no git to ask for it. The image's build sets it.
var builtFrom string

const (
	suiteBinary   = "suites.test"
	ginkgoBinary  = "ginkgo"
	kubectlBinary = "kubectl"
)

func prebuiltBeside(executable string, err error) string {
	if err != nil {
		return ""
	}
	dir := filepath.Dir(executable)
	for _, name := range []string{suiteBinary, ginkgoBinary, kubectlBinary} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return ""
		}
	}
	return dir
}

// program is the path of the suite or of ginkgo.
func program(name string) string {
	return filepath.Join(cmp.Or(prebuilt, filepath.Join(cacheDir, "bin")), name)
}
