package azure

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

const nothing = "0000000000000000000000000000000000000000"

// DeleteBranch implements forge.BranchDeleter. The host itself compares where the branch stands.
func (f *Forge) DeleteBranch(ctx context.Context, repo fleet.Repository, branch, expect string) error {
	if expect == "" {
		at, err := f.tip(ctx, repo, branch)
		if err != nil || at == "" {
			return err
		}
		expect = at
	}
	var out values[struct {
		Status  string `json:"updateStatus"`
		Success bool   `json:"success"`
	}]
	in := []map[string]string{{"name": heads + branch, "oldObjectId": expect, "newObjectId": nothing}}
	if err := f.on(ctx, repo, http.MethodPost, "/refs", nil, in, &out); err != nil {
		if transport.Says(err, "RejectedByPolicy", "GitRefLocked", "NeedsPermission") {
			return &fleet.Error{Code: fleet.CodeProtected, Message: "branch " + branch + " is protected", Err: err}
		}
		return missing(repo, err, err)
	}
	if len(out.Value) == 1 && out.Value[0].Success {
		return nil
	}
	status := ""
	if len(out.Value) == 1 {
		status = out.Value[0].Status
	}
	switch status {
	case "rejectedByPolicy", "rejectedByPlugin", "locked", "writePermissionRequired", "forcePushRequired":
		return fleet.Errorf(fleet.CodeProtected, "branch %s is protected: %s", branch, status)
	}
	now, err := f.tip(ctx, repo, branch)
	switch {
	case err != nil || now == "":
		return err
	case now != expect:
		return fleet.Errorf(fleet.CodeConflict, "branch %s moved to %s", branch, now)
	}
	return fleet.Errorf(fleet.CodeForge, "branch %s was not deleted: %q", branch, status)
}

// tip is where a branch stands; "" when there is none.
func (f *Forge) tip(ctx context.Context, repo fleet.Repository, branch string) (string, error) {
	var refs values[struct {
		Name   string `json:"name"`
		Object string `json:"objectId"`
	}]
	if err := f.on(ctx, repo, http.MethodGet, "/refs", url.Values{"filter": {"heads/" + branch}}, nil, &refs); err != nil {
		return "", missing(repo, err, err)
	}
	for _, r := range refs.Value { // all that begin so
		if r.Name == heads+branch {
			return r.Object, nil
		}
	}
	return "", nil
}

// Check implements forge.Checker. The host does not tell the scopes of a token, so what can be tried without harm is tried.
func (f *Forge) Check(ctx context.Context) (forge.Account, []forge.Ability, error) {
	me, err := f.me(ctx)
	if err != nil {
		return forge.Account{}, nil, err
	}
	account := forge.Account{Name: me.account()}
	var list values[project]
	if err := f.call(ctx, http.MethodGet, "/_apis/projects", url.Values{"$top": {"1"}}, nil, &list); err != nil {
		if fleet.CodeOf(err) != fleet.CodeForgeAuth {
			return forge.Account{}, nil, err
		}
		return account, []forge.Ability{{Name: "pull requests", Detail: "the token lacks the scope Project and Team (read)"}}, nil
	}
	if len(list.Value) == 0 {
		return account, []forge.Ability{{Name: "pull requests", Detail: "the account sees no project of " + f.site.title()}}, nil
	}
	in := "/" + url.PathEscape(list.Value[0].ID) + "/_apis"
	try := func(name, scope string, err error) forge.Ability {
		if err != nil {
			return forge.Ability{Name: name, Detail: "the token lacks the scope " + scope}
		}
		return forge.Ability{Name: name, OK: true}
	}
	one := url.Values{"$top": {"1"}}
	_, err = f.identities(ctx, url.Values{"identityIds": {me.ID}, "queryMembership": {"none"}})
	identities := try("reviewers by name", "Identity (read)", err)
	rights := forge.Ability{Name: "rights of commenters", Detail: "the token may not read them: no comment counts as an instruction"}
	if _, err := f.rights(ctx, "repoV2/"+list.Value[0].ID, []string{me.Descriptor}); err == nil && identities.OK {
		rights = forge.Ability{Name: rights.Name, OK: true}
	}
	return account, []forge.Ability{
		try("pull requests", "Code (read & write)", f.call(ctx, http.MethodGet, in+"/git/pullrequests", one, nil, nil)),
		try("builds and their logs", "Build (read; read & execute to run one again)", f.call(ctx, http.MethodGet, in+"/build/builds", one, nil, nil)),
		identities,
		rights,
		{Name: "heads in lists", Detail: "Azure DevOps does not give them: git is asked"},
		f.seesDeployments(ctx, list.Value[0].ID),
	}, nil
}

// projectPath is the path to the site's pages about a project.
func (f *Forge) projectPath(name string) string {
	return strings.TrimRight(f.site.url.String(), "/") + "/" + url.PathEscape(name)
}
