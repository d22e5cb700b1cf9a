package spec

import (
	"strings"
	"unicode"
)

// ForgesFile is the name of the file in the data folder that names code hosts.
const ForgesFile = "forges.yaml"

// Forge is one code host, as forges.yaml has it: where it is, and where its credential is kept.
type Forge struct {
	Kind      string // github, gitlab, gitea, bitbucket, bitbucket-dc, azure
	URL       string // of the site, for azure with the organisation or collection; "" for the public one of github, gitlab and bitbucket
	TokenEnv  string // environment variable that holds the token
	TokenFile string // file that holds it, for its owner's eyes only; relative to the data folder
	Keyring   string // account in the operating system's keyring, of the service gaggle
	App       ForgeApp

	Line, Column int // of its name in the file; 0 for one that comes from elsewhere
}

// ForgeApp is an installation of a GitHub App; without an ID there is none.
type ForgeApp struct {
	ID, Installation int
	KeyFile          string
}

// ForgeKinds lists the kinds of code hosts beside the built-in one.
func ForgeKinds() []string {
	return []string{"github", "gitlab", "gitea", "bitbucket", "bitbucket-dc", "azure"}
}

// ParseForges reads a forges.yaml; file is what errors call it. The error, if any, is an *Errors.
func ParseForges(file string, data []byte) (map[string]Forge, error) {
	r := &reader{problems: problems{file: file}}
	root, src := document(&r.problems, data)
	var all map[string]Forge
	if root == nil {
		return nil, r.err()
	}
	r.src = src
	r.read(root, forgesFields(&all, &header{}))
	if n := r.set["forges"]; n != nil && len(r.list) == 0 {
		for i := 0; i+1 < len(n.Content); i += 2 {
			name, at := n.Content[i].Value, start(n.Content[i])
			f := all[name]
			f.Line, f.Column = at.line, at.column
			all[name] = f
			if why, hint := f.lacks(); why != "" {
				r.add(at, hint, "forge %s %s", quote(name), why)
			}
		}
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return all, nil
}

// lacks says what is wrong with a code host whose keys are right one by one.
func (f Forge) lacks() (why, hint string) {
	switch {
	case f.URL == "" && f.Kind == "azure":
		return "has no url", "url: https://dev.azure.com/ORGANISATION, or https://tfs.example.com/tfs/COLLECTION"
	case f.URL == "" && (f.Kind == "gitea" || f.Kind == "bitbucket-dc"):
		return "has no url", "url: https://git.example.com"
	case f.App.ID != 0 && f.Kind != "github":
		return "has no Apps", "only GitHub has them: use tokenEnv, tokenFile or keyring"
	case f.App.ID == 0 && f.TokenEnv == "" && f.TokenFile == "" && f.Keyring == "":
		return "names no credential", "tokenEnv: NAME, tokenFile: PATH, keyring: ACCOUNT, or app: for a GitHub App"
	}
	return "", ""
}

// forgesFields is the table of a forges.yaml.
func forgesFields(all *map[string]Forge, h *header) []field {
	same := func(s string) string { return s }
	return append(headerFields(h, "Forges", "The kind of file.", false), field{path: "forges", kind: perName("a forge's name", same, forgeFields), into: all, check: checkForgeName, pattern: `^[^\s:/]+$`,
		doc: "Code hosts by the names that `gaggle fleet sync --from NAME:OWNER` takes."})
}

func forgeFields(f *Forge) []field {
	return []field{
		{path: "kind", kind: text(), into: &f.Kind, must: true, oneOf: ForgeKinds(), doc: "What the host runs; gitea is Forgejo, too, and bitbucket-dc Bitbucket Data Center."},
		{path: "url", kind: text(), into: &f.URL, check: checkURL, pattern: `^https?://`, doc: "Where it is, for azure with the organisation or collection. Defaults to the public one of github, gitlab and bitbucket."},
		{path: "tokenEnv", kind: text(), into: &f.TokenEnv, check: checkToken, doc: "The environment variable that holds the token."},
		{path: "tokenFile", kind: text(), into: &f.TokenFile, check: checkLine, doc: "The file that holds it, which only its owner may read; relative to the data folder."},
		{path: "keyring", kind: text(), into: &f.Keyring, check: checkAccount, pattern: `^[A-Za-z0-9._][A-Za-z0-9._-]*$`, doc: "The account that holds it in the operating system's keyring, of the service gaggle."},
		{path: "app", kind: group(), doc: "github: an App in place of a token."},
		{path: "app.id", kind: integer(), into: &f.App.ID, must: true, min: 1, max: 1 << 53, doc: "The App's id."},
		{path: "app.installation", kind: integer(), into: &f.App.Installation, must: true, min: 1, max: 1 << 53, doc: "The id of its installation."},
		{path: "app.keyFile", kind: text(), into: &f.App.KeyFile, must: true, check: checkLine, doc: "The file of its private key, which only its owner may read; relative to the data folder."},
	}
}

func checkForgeName(s string) *flaw {
	if s == "local" || s == "" {
		return &flaw{0, "this name cannot be used", "a word such as github; the built-in forge is called local"}
	}
	for i, r := range []rune(s) {
		if r == ':' || r == '/' || unicode.IsSpace(r) || unicode.IsControl(r) {
			return &flaw{i, quote(string(r)) + " cannot stand in a forge's name", "a word such as github"}
		}
	}
	return nil
}

func checkURL(s string) *flaw {
	if !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
		return &flaw{0, "this is no address of a site", "https://git.example.com"}
	}
	return checkToken(s)
}

func checkAccount(s string) *flaw {
	for i, r := range s {
		if i == 0 && r == '-' || !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", r) {
			return &flaw{i, "an account of the keyring cannot have " + quote(string(r)) + " here", "letters, digits, dots, dashes"}
		}
	}
	return nil
}
