package simulated

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"time"

	"k8s.io/client-go/rest"
)

// waitServing returns when a component that was restarted answers, and with it the API server.
func (p *Provider) waitServing(ctx context.Context, component string, args []string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	config, err := p.restConfig()
	if err != nil {
		return err
	}
	admin, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	// The API server calls itself ready for a moment after its etcd has ended.
	for _, arg := range args {
		if url, ok := strings.CutPrefix(arg, "--listen-client-urls="); ok {
			if err := waitOK(ctx, http.DefaultClient, url+"/health"); err != nil {
				return fmt.Errorf("waiting for %s after its restart (log: %s): %w", component, p.logPath(component), err)
			}
		}
	}
	if err := waitOK(ctx, admin, config.Host+"/readyz"); err != nil {
		return fmt.Errorf("waiting for the API server after the restart of %s (log: %s): %w", component, p.logPath(component), err)
	}
	for _, arg := range args {
		port, ok := strings.CutPrefix(arg, "--secure-port=")
		if !ok || component == "kube-apiserver" {
			continue
		}
		// Their certificates are made at each start and signed by nobody; it is our own machine.
		anybody := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		defer anybody.CloseIdleConnections()
		if err := waitOK(ctx, anybody, "https://127.0.0.1:"+port+"/healthz"); err != nil {
			return fmt.Errorf("waiting for %s after its restart (log: %s): %w", component, p.logPath(component), err)
		}
	}
	return nil
}

// waitOK asks url until it answers 200.
func waitOK(ctx context.Context, client *http.Client, url string) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("%s answers %s", url, response.Status)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last: %w", ctx.Err(), err)
		case <-tick.C:
		}
	}
}
