package bitbucket

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// users looks reviewers up: an account id or a uuid is taken as it is, a mail address and a nickname or full name are
// looked for among the workspace's members. One who is not found is left out.
func (f *Cloud) users(ctx context.Context, slug string, names []string) ([]cloudUser, error) {
	workspace, _, _ := strings.Cut(slug, "/")
	var found []cloudUser
	for _, name := range forge.Lacking(nil, names) {
		switch {
		case strings.HasPrefix(name, "{"):
			found = append(found, cloudUser{UUID: name})
			continue
		case accountID(name):
			found = append(found, cloudUser{AccountID: name})
			continue
		}
		known, err := f.members(ctx, workspace, name)
		if err != nil {
			return nil, err
		}
		for _, u := range known {
			if strings.EqualFold(u.Nickname, name) || strings.EqualFold(u.DisplayName, name) || strings.Contains(name, "@") {
				found = append(found, u)
				break
			}
		}
	}
	return found, nil
}

// accountID recognises Atlassian's ids, such as "557058:uuid" and 24 hexadecimal digits.
func accountID(s string) bool {
	if strings.Contains(s, ":") {
		return true
	}
	return len(s) == 24 && strings.Trim(s, "0123456789abcdef") == ""
}

// members are those of a workspace, read once, or the one with a mail address. A credential that may not read them knows nobody.
func (f *Cloud) members(ctx context.Context, workspace, name string) ([]cloudUser, error) {
	key, q := workspace, url.Values{"pagelen": {"100"}, "fields": {"next,values.user"}}
	if strings.Contains(name, "@") {
		key += "\n" + name
		q.Set("q", "user.email IN ("+quote(name)+")")
	}
	if known, ok := f.people.get(key); ok {
		return known, nil
	}
	type member struct{ User cloudUser }
	all := []cloudUser{}
	for m, err := range pages[member](ctx, f, f.api.String()+"/workspaces/"+url.PathEscape(workspace)+"/members?"+q.Encode()) {
		if status := transport.StatusOf(err); status == http.StatusForbidden || status == http.StatusNotFound || status == http.StatusBadRequest {
			break
		}
		if err != nil {
			return nil, err
		}
		all = append(all, m.User)
	}
	f.people.put(key, all)
	return all, nil
}

// granted reads the scopes of a credential out of a refusal.
func granted(err error) []string {
	var s *transport.Status
	var said struct {
		Error struct{ Detail struct{ Granted []string } }
	}
	if !errors.As(err, &s) || json.Unmarshal([]byte(s.Body), &said) != nil {
		return nil
	}
	return said.Error.Detail.Granted
}

// mayWrite says who may push to a repository, by uuid. Only an administrator is told, and else nobody is known to.
func (f *Cloud) mayWrite(ctx context.Context, repo fleet.Repository) (map[string]bool, error) {
	slug, err := f.slug(repo)
	if err != nil {
		return nil, err
	}
	if known, ok := f.writers.get(slug); ok && f.now().Sub(known.at) < rightsAge {
		return known.know, nil
	}
	owner, name, _ := strings.Cut(slug, "/")
	q := url.Values{"pagelen": {"100"}, "q": {`permission>"read"`}, "fields": {"next,values.permission,values.user.uuid"}}
	type right struct {
		Permission string
		User       cloudUser
	}
	may := map[string]bool{}
	for r, err := range pages[right](ctx, f, f.api.String()+"/workspaces/"+url.PathEscape(owner)+"/permissions/repositories/"+url.PathEscape(name)+"?"+q.Encode()) {
		if status := transport.StatusOf(err); status == http.StatusForbidden || status == http.StatusNotFound {
			break
		}
		if err != nil {
			return nil, err
		}
		if r.Permission == "write" || r.Permission == "admin" {
			may[r.User.UUID] = true
		}
	}
	f.writers.put(slug, writers{f.now(), may})
	return may, nil
}
