package gitea

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	sdk "code.gitea.io/sdk/gitea"

	"gaggle/internal/forge/transport"
)

const (
	trusted = 5 * time.Minute // how long somebody is believed on what the server said once
	doubted = time.Minute     // how long nobody is asked again about somebody who is not
)

// rights is what the server said of who may write. It tells a person's level to those who administer the repository, and
// only what comes by way of collaboration or an administering team: members of a team that may write to the code have
// "read". The rest is in the teams, of which it tells the members to those who are in them.
type rights struct {
	circles memo[circle]          // by slug
	levels  memo[sdk.AccessMode]  // by slug and person
	writers memo[map[string]bool] // by slug, of a repository that belongs to a person
	members memo[map[string]bool] // by team; nil where the account is not in it
	owners  memo[bool]            // by organisation and person
	open    memo[bool]            // by pull request: no rule protects its base
}

// circle is who has to do with a repository.
type circle struct {
	owner  string
	admin  bool    // the account administers it, and may ask for levels
	person bool    // the owner is a person: there are no teams
	strong []int64 // teams that may write to the code
	vague  []int64 // teams that may not, though the level of who is in them says so
	told   bool    // the server names the teams
}

// mayWrite says that somebody is known to have the right to write to the code of a repository now, or had it five minutes ago.
func (f *Forge) mayWrite(ctx context.Context, api *sdk.Client, owner, name, who string) (bool, error) {
	for _, age := range []time.Duration{trusted, doubted} {
		if may, err := f.vouched(ctx, api, owner, name, who, age); err != nil || may {
			return may, err
		}
	}
	return false, nil
}

// vouched looks for a reason to believe somebody, in answers that are not older than age.
func (f *Forge) vouched(ctx context.Context, api *sdk.Client, owner, name, who string, age time.Duration) (bool, error) {
	slug, who := strings.ToLower(owner+"/"+name), strings.ToLower(who)
	c, err := f.rights.circles.get(slug, f.now, age, func() (circle, error) { return f.circle(ctx, api, owner, name) })
	if err != nil {
		return false, err
	}
	in := func(team int64) (is, known bool, err error) {
		names, err := f.rights.members.get(strconv.FormatInt(team, 10), f.now, age, func() (map[string]bool, error) { return members(ctx, api, team) })
		return names[who], names != nil, err
	}
	if c.admin {
		level, err := f.rights.levels.get(slug+"\n"+who, f.now, age, func() (sdk.AccessMode, error) {
			got, _, err := api.CollaboratorPermission(owner, name, who)
			if err = transport.Error(ctx, err); err != nil || got == nil {
				return "", told(err)
			}
			return got.Permission, nil
		})
		if err != nil || level == sdk.AccessModeAdmin || level == sdk.AccessModeOwner {
			return err == nil, err
		}
		sure := level == sdk.AccessModeWrite && (c.told || c.person)
		for _, team := range c.vague {
			if !sure {
				break
			}
			is, known, err := in(team)
			if err != nil {
				return false, err
			}
			sure = known && !is
		}
		if sure || c.person {
			return sure, nil
		}
	}
	if c.person {
		names, err := f.rights.writers.get(slug, f.now, age, func() (map[string]bool, error) {
			// Of a person's repository, and of no other, these are exactly those who may write.
			list, _, err := api.GetAssignees(owner, name)
			return named(list), told(transport.Error(ctx, err))
		})
		return names[who], err
	}
	for _, team := range c.strong {
		if is, _, err := in(team); err != nil || is {
			return is, err
		}
	}
	return f.rights.owners.get(strings.ToLower(c.owner)+"\n"+who, f.now, age, func() (bool, error) {
		got, _, err := api.GetOrgPermissions(c.owner, who)
		if err = transport.Error(ctx, err); err != nil || got == nil {
			return false, told(err)
		}
		return got.IsOwner, nil
	})
}

// circle asks for the owner by the repository itself, which may have moved to another.
func (f *Forge) circle(ctx context.Context, api *sdk.Client, owner, name string) (c circle, err error) {
	repo, _, err := api.GetRepo(owner, name)
	if err = transport.Error(ctx, err); err != nil {
		return c, err
	}
	c.owner, c.admin = userName(repo.Owner), repo.Permissions != nil && repo.Permissions.Admin
	teams, _, err := api.GetRepoTeams(owner, name)
	if err = transport.Error(ctx, err); err != nil {
		c.person = transport.StatusOf(err) == http.StatusMethodNotAllowed
		return c, told(err)
	}
	writes := func(mode string) bool { return slices.Contains([]string{"write", "admin", "owner"}, mode) }
	for _, t := range teams {
		switch level := string(t.Permission); {
		case level == "admin" || level == "owner" || writes(t.UnitsMap["repo.code"]):
			c.strong = append(c.strong, t.ID)
		case level != "none" && level != "read":
			c.vague = append(c.vague, t.ID)
		}
	}
	c.told = true
	return c, nil
}

// members are those of a team; nil when the account may not know.
func members(ctx context.Context, api *sdk.Client, team int64) (map[string]bool, error) {
	var all []*sdk.User
	for pages := newPager(); ; {
		list, resp, err := api.ListTeamMembers(team, sdk.ListTeamMembersOptions{ListOptions: pages.ListOptions})
		if err = transport.Error(ctx, err); err != nil {
			return nil, told(err)
		}
		if all = append(all, list...); !pages.next(resp, len(list)) {
			return named(all), nil
		}
	}
}

func named(list []*sdk.User) map[string]bool {
	names := map[string]bool{}
	for _, u := range list {
		names[strings.ToLower(userName(u))] = true
	}
	return names
}

// told takes a refusal for an answer.
func told(err error) error {
	switch transport.StatusOf(err) {
	case http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		return nil
	}
	return err
}

// reviewed says that an official review of a pull request shows the right to write. Where a rule protects the base, its reviews
// may be official by a list of people who may only read, and the server tells the list to those who administer the repository.
func (f *Forge) reviewed(ctx context.Context, api *sdk.Client, owner, name string, number int) (bool, error) {
	return f.rights.open.get(memoryKey(owner+"/"+name, number), f.now, trusted, func() (bool, error) {
		p, _, err := api.GetPullRequest(owner, name, int64(number))
		if err = transport.Error(ctx, err); err != nil || p.Base == nil {
			return false, told(err)
		}
		var branch struct {
			Protected *bool `json:"protected"`
		}
		path := f.site.String() + "/api/v1/repos/" + url.PathEscape(owner) + "/" + url.PathEscape(name) + "/branches/" + escaped(p.Base.Ref)
		_, err = f.http.JSON(ctx, http.MethodGet, path, nil, &branch)
		return branch.Protected != nil && !*branch.Protected, told(err)
	})
}

// escaped is a branch's name in a path, where its slashes stay.
func escaped(branch string) string {
	parts := strings.Split(branch, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// memo keeps answers for a while. Errors are not kept.
type memo[T any] struct {
	mu    sync.Mutex
	slots map[string]*slot[T]
}

type slot[T any] struct {
	mu     sync.Mutex // held while asking: who wants the same answer waits for it
	at     time.Time  // before it was asked; zero: never
	answer T
}

func (m *memo[T]) get(key string, now func() time.Time, age time.Duration, ask func() (T, error)) (T, error) {
	m.mu.Lock()
	if m.slots == nil || len(m.slots) > 20000 {
		m.slots = map[string]*slot[T]{}
	}
	s := m.slots[key]
	if s == nil {
		s = &slot[T]{}
		m.slots[key] = s
	}
	m.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	started := now()
	if !s.at.IsZero() && started.Sub(s.at) < age {
		return s.answer, nil
	}
	answer, err := ask()
	if err == nil {
		s.at, s.answer = started, answer
	}
	return answer, err
}
