package spec

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// IdentityFile is the name of the file in the data folder that says who commits are by and how they are signed.
const IdentityFile = "identity.yaml"

// Identity is who commits are by. Its zero value leaves both to Gaggle's defaults: an author of its own, and no signature.
type Identity struct {
	Name, Email string
	Format      string // SignSSH, SignOpenPGP; "" for no signature
	Key         string // file of the private ssh key, or name of the OpenPGP key
}

// The ways to sign a commit.
const (
	SignSSH     = "ssh"
	SignOpenPGP = "openpgp"
)

// ParseIdentity reads an identity.yaml; file is what errors call it. The error, if any, is an *Errors.
func ParseIdentity(file string, data []byte) (Identity, error) {
	r := &reader{problems: problems{file: file}}
	root, src := document(&r.problems, data)
	var id Identity
	if root == nil {
		return id, r.err()
	}
	r.src = src
	r.read(root, identityFields(&id, &header{}))
	if n := r.set["sign.key"]; n != nil && id.Format == SignSSH && len(r.list) == 0 {
		if why, hint := notAKeyFile(id.Key); why != "" {
			r.add(start(n), hint, "%s", why)
		}
	}
	if err := r.err(); err != nil {
		return Identity{}, err
	}
	return id, nil
}

// identityFields is the table of an identity.yaml.
func identityFields(id *Identity, h *header) []field {
	return append(headerFields(h, "Identity", "The kind of file.", false), []field{
		{path: "author", kind: group(), doc: "Who commits are by. Defaults to Gaggle <gaggle@localhost>."},
		{path: "author.name", kind: text(), into: &id.Name, must: true, check: checkAuthor, doc: "The name."},
		{path: "author.email", kind: text(), into: &id.Email, must: true, check: checkMail, pattern: `^[^\s<>@]+@[^\s<>@]+$`,
			doc: "The mail address. Code hosts call a signed commit verified when this is an address of the account that has the key."},
		{path: "sign", kind: group(), doc: "How commits are signed. Defaults to not at all."},
		{path: "sign.format", kind: text(), into: &id.Format, must: true, oneOf: []string{SignSSH, SignOpenPGP}, doc: "The kind of signature."},
		{path: "sign.key", kind: text(), into: &id.Key, must: true, check: checkKey,
			doc: "ssh: the file of a private key without a passphrase, which only its owner may read; relative to the data folder. openpgp: the key's id or fingerprint in the keyring of whoever runs Gaggle."},
	}...)
}

// checkAuthor accepts a name that git can write into a commit as it is.
func checkAuthor(s string) *flaw {
	for i, r := range []rune(s) {
		if r == '<' || r == '>' || unicode.IsControl(r) {
			return &flaw{i, "a name in a commit holds no " + quote(string(r)), "leave it out"}
		}
	}
	if strings.Trim(s, " .,:;\"'") == "" {
		return &flaw{0, "this is no name", "write one, such as Gaggle"}
	}
	return oneLine(s, 100)
}

func checkMail(s string) *flaw {
	if i := strings.IndexFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '<' || r == '>' }); i >= 0 {
		return &flaw{utf8.RuneCountInString(s[:i]), "a mail address holds no spaces or brackets", "write name@example.com"}
	}
	if name, host, ok := strings.Cut(s, "@"); !ok || name == "" || host == "" || strings.Contains(host, "@") {
		return &flaw{0, "this is no mail address", "write name@example.com"}
	}
	return oneLine(s, 200)
}

// checkKey refuses a key that was pasted, without repeating it.
func checkKey(s string) *flaw {
	if strings.Contains(s, "PRIVATE KEY") {
		return &flaw{0, "this is a private key, not where one is", "save it in a file of its own, chmod 600, and name the file; this key has been seen here, so make a new one"}
	}
	if i := strings.IndexFunc(s, unicode.IsControl); i >= 0 {
		return &flaw{0, "one line is expected here", "name a file or a key"}
	}
	if s[0] == '-' {
		return &flaw{0, "a key that starts with a dash reads like an option", "write ./ before a file's name"}
	}
	return nil
}

// notAKeyFile says why a text cannot name the file of a private ssh key.
func notAKeyFile(key string) (why, hint string) {
	for _, kind := range []string{"ssh-", "ecdsa-", "sk-", "key::"} {
		if strings.HasPrefix(key, kind) && (strings.Contains(key, " ") || kind == "key::") {
			return "this is a public key, not a file", "name the file of the private key"
		}
	}
	if strings.HasSuffix(key, ".pub") {
		return "this names a public key", "name the private one's file: " + clip(strings.TrimSuffix(key, ".pub"))
	}
	return "", ""
}
