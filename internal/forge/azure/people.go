package azure

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
)

// identity is somebody, or a group, as the host keeps them.
type identity struct {
	ID         string   `json:"id"`
	Descriptor string   `json:"descriptor"`
	Name       string   `json:"providerDisplayName"`
	Container  bool     `json:"isContainer"`
	MemberOf   []string `json:"memberOf"`
	Properties struct {
		Account property `json:"Account"`
		Mail    property `json:"Mail"`
		Domain  property `json:"Domain"`
	} `json:"properties"`
}

type property struct {
	Value any `json:"$value"`
}

func (p property) text() string {
	s, _ := p.Value.(string)
	return s
}

func (i identity) account() string {
	if s := i.Properties.Account.text(); s != "" {
		return s
	}
	return i.Name
}

// is reports whether these are a person's or a group's name, account or address.
func (i identity) is(name string) bool {
	account := i.Properties.Account.text()
	for _, n := range []string{account, i.Properties.Domain.text() + `\` + account, i.Properties.Mail.text(), i.Name} {
		if n != "" && strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// refuses says that the credential may not ask for something, or the host does not have it.
func refuses(err error) bool {
	return err != nil && (fleet.CodeOf(err) == fleet.CodeForgeAuth || transport.StatusOf(err)/100 == 4)
}

func (f *Forge) identities(ctx context.Context, q url.Values) ([]identity, error) {
	at := f.site.url
	if f.people != f.http {
		at = f.site.people
	}
	var list values[*identity]
	err := send(ctx, f.people, http.MethodGet, at.String()+"/_apis/identities", q, nil, &list)
	var all []identity
	for _, i := range list.Value { // null for one that is not known
		if i != nil && i.ID != "" {
			all = append(all, *i)
		}
	}
	return all, err
}

// userIDs looks people and groups up by account, address or name, each once. One who is not known, or not the only one, is
// left out; so are all where the credential may not look anybody up.
func (f *Forge) userIDs(ctx context.Context, names []string) ([]string, error) {
	var out []string
	for _, name := range forge.Lacking(nil, names) {
		name = strings.TrimPrefix(name, "@")
		key := strings.ToLower(name)
		f.mu.Lock()
		id, known := f.users[key]
		f.mu.Unlock()
		if !known {
			list, err := f.identities(ctx, url.Values{"searchFilter": {"General"}, "filterValue": {name}, "queryMembership": {"none"}})
			if err != nil && !refuses(err) {
				return nil, err
			}
			if len(list) == 1 {
				id = list[0].ID
			}
			for _, i := range list {
				if len(list) > 1 && i.is(name) {
					id = i.ID
					break
				}
			}
			f.mu.Lock()
			if len(f.users) > 20000 {
				clear(f.users)
			}
			f.users[key] = id
			f.mu.Unlock()
		}
		if id != "" {
			out = append(out, id)
		}
	}
	return out, nil
}

// me is who the credential belongs to.
func (f *Forge) me(ctx context.Context) (identity, error) {
	f.mu.Lock()
	self := f.self
	f.mu.Unlock()
	if self.ID != "" {
		return self, nil
	}
	var data struct {
		User identity `json:"authenticatedUser"`
	}
	if err := f.call(ctx, http.MethodGet, "/_apis/connectionData", url.Values{"api-version": {preview}}, nil, &data); err != nil {
		return identity{}, err
	}
	if strings.Contains(data.User.Descriptor, "PublicAccess") || data.User.ID == "" {
		return identity{}, &fleet.Error{Code: fleet.CodeForgeAuth, Message: "Azure DevOps does not take the credential, and lets it see public projects only", Hint: "make a new personal access token"}
	}
	f.mu.Lock()
	f.self = data.User
	f.mu.Unlock()
	return data.User, nil
}

// The security namespace of Git repositories, and the right to push in it.
const (
	repositories = "2e9eb7ed-3c0a-47d4-87c1-0ffdd275fd87"
	contribute   = 4
)

// mayWrite works out whether somebody may push to a repository: by the rights of the person and of the groups that the
// person is in, at the repository, its project and the organisation. A denial anywhere counts, and so does not being allowed
// to find out.
func (f *Forge) mayWrite(ctx context.Context, at ids, id string) (bool, error) {
	list, err := f.identities(ctx, url.Values{"identityIds": {id}, "queryMembership": {"expandedUp"}})
	if err != nil || len(list) != 1 || list[0].Container {
		if refuses(err) {
			err = nil
		}
		return false, err
	}
	who := append([]string{list[0].Descriptor}, list[0].MemberOf...)
	may := false
	for _, token := range []string{"repoV2/" + at.project + "/" + at.repo, "repoV2/" + at.project, "repoV2"} {
		inherits := true
		for part := range slices.Chunk(who, 50) { // they go into a URL
			acls, err := f.rights(ctx, token, part)
			if refuses(err) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
			for _, acl := range acls {
				if acl.Token != "" && !strings.EqualFold(strings.TrimSuffix(acl.Token, "/"), token) {
					continue
				}
				inherits = inherits && acl.Inherit
				for descriptor, e := range acl.Entries {
					if !slices.ContainsFunc(part, func(d string) bool { return strings.EqualFold(d, descriptor) }) {
						continue
					}
					if (e.Deny|e.Extended.Deny)&contribute != 0 {
						return false, nil
					}
					may = may || (e.Allow|e.Extended.Allow)&contribute != 0
				}
			}
		}
		if !inherits {
			break
		}
	}
	return may, nil
}

type accessList struct {
	Token   string `json:"token"`
	Inherit bool   `json:"inheritPermissions"`
	Entries map[string]struct {
		Allow    int `json:"allow"`
		Deny     int `json:"deny"`
		Extended struct {
			Allow int `json:"effectiveAllow"`
			Deny  int `json:"effectiveDeny"`
		} `json:"extendedInfo"`
	} `json:"acesDictionary"`
}

func (f *Forge) rights(ctx context.Context, token string, who []string) ([]accessList, error) {
	var list values[accessList]
	err := f.call(ctx, http.MethodGet, "/_apis/accesscontrollists/"+repositories, url.Values{"token": {token}, "descriptors": {strings.Join(who, ",")}, "includeExtendedInfo": {"true"}}, nil, &list)
	return list.Value, err
}
