package catalog

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

// Discover lists the repositories that from names, by name: a folder that holds repositories, or a file that lists
// clone URLs. Names are unique, and stay the same when others join the source. What cannot be used is a problem; only
// a source that cannot be read, or that has no repository at all, is an error.
func Discover(ctx context.Context, from string) ([]fleet.Repository, []fleet.Problem, error) {
	abs, err := filepath.Abs(from)
	if err != nil {
		return nil, nil, fleet.Errorf(fleet.CodeInvalid, "%s: %w", from, err)
	}
	info, err := os.Stat(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, &fleet.Error{Code: fleet.CodeNotFound, Message: "there is no " + from, Hint: "name a folder of repositories, or a file with one clone URL a line"}
	}
	if err != nil {
		return nil, nil, fleet.Errorf(fleet.CodeInvalid, "%w", err)
	}
	p := &problems{}
	var found []candidate
	if info.IsDir() {
		found, err = readFolder(ctx, abs, p)
	} else {
		found, err = readList(from, abs, p)
	}
	if err != nil {
		return nil, p.done(), err
	}
	repos := settleNames(found, p)
	slices.SortStableFunc(p.list, func(a, b fleet.Problem) int { return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line)) })
	if len(repos) == 0 {
		hint := "a folder is searched for bare and other repositories, six levels deep; a file names one clone URL a line"
		return nil, p.done(), &fleet.Error{Code: fleet.CodeNotFound, Message: "there is no git repository in " + from, Hint: hint}
	}
	return repos, p.done(), nil
}

// candidate is a repository before its name is settled.
type candidate struct {
	at     place
	url    string
	forge  string
	names  []string // in the order of preference; the first one that is free is taken
	chosen bool     // a person chose names[0]: taken is a problem
}

// settleNames gives each candidate the first of its names that is free. Earlier ones choose first, so appending to a
// list never renames what was there. Names that differ in case only count as equal, for file systems do not all tell them apart.
func settleNames(found []candidate, p *problems) []fleet.Repository {
	taken := map[string]bool{}
	var repos []fleet.Repository
	settle := func(c candidate) {
		sum := sha256.Sum256([]byte(c.url))
		for _, name := range append(c.names, c.names[0]+"-"+hex.EncodeToString(sum[:4])) {
			if key := strings.ToLower(name); !taken[key] {
				taken[key] = true
				repos = append(repos, fleet.Repository{Name: name, URL: c.url, Forge: c.forge})
				return
			}
			if c.chosen {
				p.add(ProblemList, c.at, "choose another name; this repository is left out", "the name %s is taken by an earlier line", quote(name))
				return
			}
		}
	}
	for _, c := range found { // names that people chose come first
		if c.chosen {
			settle(c)
		}
	}
	for _, c := range found {
		if !c.chosen {
			settle(c)
		}
	}
	slices.SortFunc(repos, func(a, b fleet.Repository) int { return cmp.Compare(a.Name, b.Name) })
	return repos
}

// cleanName makes a path the name of a repository: segments of letters, digits and a few marks, none of which hides a
// folder or leaves it.
func cleanName(path string) string {
	var segments []string
	for s := range strings.SplitSeq(path, "/") {
		s = strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-+~", r) {
				return r
			}
			return '-'
		}, strings.ToValidUTF8(s, "-"))
		if s = strings.TrimLeft(s, ".-"); s != "" {
			segments = append(segments, s)
		}
	}
	return cmp.Or(strings.Join(segments, "/"), "repository")
}

// localURL is the clone URL of a folder on this machine.
func localURL(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

// remoteCandidate reads a clone URL. Its error never repeats the URL, which may hold a secret.
func remoteCandidate(raw string) (candidate, error) {
	remote, err := git.ParseRemote(raw)
	if err != nil {
		return candidate{}, err
	}
	if remote.Path != "" {
		parent, base := filepath.Split(strings.TrimSuffix(remote.Path, "/.git"))
		base = cleanName(trimGit(base))
		return candidate{url: localURL(remote.Path), forge: "local", names: []string{base, cleanName(filepath.Base(parent) + "/" + base)}}, nil
	}
	host, path := "", ""
	if u, err := url.Parse(raw); err == nil && strings.Contains(raw, "://") {
		host, path = u.Host, u.Path
		if remote.Protocol != "ssh" && u.User != nil {
			return candidate{}, &fleet.Error{Code: fleet.CodeInvalid, Message: "the clone URL holds a user or a password",
				Hint: "leave them out, for they would be stored; credentials are asked for when they are needed"}
		}
	} else {
		host, path, _ = strings.Cut(raw, ":")
		if at := strings.LastIndexByte(host, '@'); at >= 0 {
			host = host[at+1:]
		}
	}
	name := cleanName(trimGit(strings.Trim(path, "/")))
	return candidate{url: raw, forge: strings.ToLower(host), names: []string{name, cleanName(host) + "/" + name}}, nil
}

func trimGit(path string) string {
	trimmed := strings.TrimSuffix(path, ".git")
	if trimmed == "" || strings.HasSuffix(trimmed, "/") {
		return path
	}
	return trimmed
}
