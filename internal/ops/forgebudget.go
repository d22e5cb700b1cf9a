package ops

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"gaggle/internal/forge/azure"
	"gaggle/internal/forge/bitbucket"
	"gaggle/internal/forge/gitea"
	"gaggle/internal/forge/github"
	"gaggle/internal/forge/gitlab"
	"gaggle/internal/forge/transport"
)

// limits are what the host is known to bear from the credential.
func (c ForgeConfig) limits() transport.Limits {
	switch c.Kind {
	case "github":
		l := github.Limits
		if u, err := url.Parse(c.URL); err != nil || u.Host != "github.com" && !strings.HasSuffix(u.Host, ".ghe.com") {
			l.WritesPerHour = 0 // a server of one's own limits nothing unless it is told to, and says so then
		}
		return l
	case "gitlab":
		return gitlab.Limits
	case "bitbucket":
		return bitbucket.CloudLimits
	case "bitbucket-dc":
		return bitbucket.DataCenterLimits
	case "azure":
		return azure.Limits
	}
	return gitea.Limits
}

// limiter is one that shares its budget with all processes that use the same credential and database.
func (c ForgeConfig) limiter(books transport.Books) *transport.Limiter {
	return transport.NewLimiter(c.limits(), nil).Share(books, c.budget)
}

// budget names the budget of the credential, which does not follow from the name.
func (c ForgeConfig) budget(ctx context.Context) (string, error) {
	site, err := url.Parse(c.URL)
	if err != nil {
		return "", err
	}
	if c.App.ID != 0 { // whose tokens last an hour
		return transport.BookName(site, fmt.Sprintf("app/%d/%d", c.App.ID, c.App.Installation)), nil
	}
	return transport.NameFor(site, c.credential)(ctx)
}
