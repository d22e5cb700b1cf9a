package github

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

// AppConfig names an installation of a GitHub App.
type AppConfig struct {
	URL            string // of the site; defaults to https://github.com
	ID             int64
	InstallationID int64
	Key            []byte            // PEM
	Next           http.RoundTripper // for tests
}

// App is a credential that gets short-lived tokens for an installation, a new one before the old one ends.
func App(cfg AppConfig) (forge.Credential, error) {
	if cfg.URL == "" {
		cfg.URL = "https://github.com"
	}
	site, err := url.Parse(strings.TrimRight(cfg.URL, "/"))
	if err != nil || site.Host == "" {
		return nil, fleet.Errorf(fleet.CodeInvalid, "the URL of a GitHub has a host")
	}
	if cfg.Next == nil {
		next := http.DefaultTransport.(*http.Transport).Clone()
		next.ResponseHeaderTimeout = 30 * time.Second
		cfg.Next = next
	}
	source, err := ghinstallation.New(cfg.Next, cfg.ID, cfg.InstallationID, cfg.Key)
	if err != nil { // the cause may quote the key
		return nil, &fleet.Error{Code: fleet.CodeForgeAuth, Message: "the key of the GitHub App is no RSA key in PEM form"}
	}
	rest, _ := apiURLs(site)
	source.BaseURL = strings.TrimSuffix(rest, "/")
	return func(ctx context.Context) (forge.Secret, error) {
		token, err := source.Token(ctx)
		if err == nil {
			return forge.Secret(token), nil
		}
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		var refusal *ghinstallation.HTTPError
		if errors.As(err, &refusal) && refusal.Response != nil && refusal.Response.StatusCode < 500 {
			return "", &fleet.Error{Code: fleet.CodeForgeAuth, Message: "GitHub gives the App no token: " + refusal.Response.Status, Hint: "check the App's id, its installation and its key"}
		}
		return "", &fleet.Error{Code: fleet.CodeForge, Message: "GitHub did not answer the App's request for a token", Err: forge.ErrPassing}
	}, nil
}
