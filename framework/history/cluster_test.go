package history

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// realAPIServer starts etcd and kube-apiserver from the folder ROLLCALL_BINARIES and returns how to reach the latter.
// Without that variable the test is skipped: what needs no binaries is tested against the test API server.
func realAPIServer(t testing.TB, flags ...string) *rest.Config {
	t.Helper()
	config, _ := startAPIServer(t, flags...)
	return config
}

// startAPIServer is realAPIServer that also returns the API server's process id.
func startAPIServer(t testing.TB, flags ...string) (*rest.Config, int) {
	t.Helper()
	binaries := os.Getenv("ROLLCALL_BINARIES")
	if binaries == "" {
		t.Skip("set ROLLCALL_BINARIES to a folder with etcd and kube-apiserver to run this")
	}
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	keyFile, tokens := filepath.Join(dir, "sa.key"), filepath.Join(dir, "tokens.csv")
	for path, text := range map[string][]byte{
		keyFile: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}),
		tokens:  []byte("test,test,test\n"),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	client, peer, secure := freePort(t), freePort(t), freePort(t)
	etcd := fmt.Sprintf("http://127.0.0.1:%d", client)
	run(t, dir, filepath.Join(binaries, "etcd"), "--data-dir", filepath.Join(dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls", etcd, "--advertise-client-urls", etcd, "--listen-peer-urls", fmt.Sprintf("http://127.0.0.1:%d", peer))
	pid := run(t, dir, filepath.Join(binaries, "kube-apiserver"), append([]string{
		"--etcd-servers", etcd, "--cert-dir", dir, "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", secure),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file", keyFile,
		"--service-account-signing-key-file", keyFile, "--service-cluster-ip-range=10.0.0.0/24", "--token-auth-file", tokens,
		"--authorization-mode=AlwaysAllow", "--disable-admission-plugins=ServiceAccount",
	}, flags...)...)
	config := &rest.Config{
		Host: fmt.Sprintf("https://127.0.0.1:%d", secure), BearerToken: "test", QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{Insecure: true},
	}
	awaitReady(t, config)
	return config, pid
}

// run starts a program that ends with the test, and returns its process id. What it printed is shown if the test fails.
func run(t testing.TB, dir, program string, args ...string) int {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, filepath.Base(program)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("the end of %s:\n%s", log.Name(), text[max(0, len(text)-4000):])
		}
	})
	return cmd.Process.Pid
}

func awaitReady(t testing.TB, config *rest.Config) {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("the API server is not ready: %v", err)
		}
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
