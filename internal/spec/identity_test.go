package spec

import (
	"strings"
	"testing"

	"gaggle/internal/fleet"
)

func TestIdentity(t *testing.T) {
	for data, want := range map[string]Identity{
		"":           {},
		"# nothing ": {},
		"author: {name: Acme Gaggle, email: gaggle@acme.example}":                                                 {Name: "Acme Gaggle", Email: "gaggle@acme.example"},
		"apiVersion: gaggle/v1\nkind: Identity\nsign: {format: ssh, key: keys/gaggle}":                            {Format: SignSSH, Key: "keys/gaggle"},
		"sign:\n  format: openpgp\n  key: \"0xDEADBEEF\"\nauthor:\n  name: Ä. Ö\n  email: \"a.b+c@acme.example\"": {Name: "Ä. Ö", Email: "a.b+c@acme.example", Format: SignOpenPGP, Key: "0xDEADBEEF"},
	} {
		got, err := ParseIdentity(IdentityFile, []byte(data))
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", data, got, err)
		}
		if data != "" && !strings.HasPrefix(data, "#") {
			if err := validate(t, IdentitySchema(), []byte(data)); err != nil {
				t.Errorf("%s: %v", data, err)
			}
		}
	}
}

func TestIdentitiesAreRefused(t *testing.T) {
	for data, want := range map[string]string{
		"auther: {}":                                   `identity.yaml:1:1: unknown key "auther" (did you mean author?)`,
		"author: {name: x}":                            `1:9: author.email is missing`,
		"author: Gaggle <g@x>":                         `1:9: author is a mapping`,
		"author: {name: 'a <b>', email: g@x}":          `1:19: author.name: a name in a commit holds no "<"`,
		"author: {name: '...', email: g@x}":            `author.name: this is no name`,
		"author: {name: a, email: g}":                  `1:26: author.email: this is no mail address (write name@example.com)`,
		"author: {name: a, email: g@x@y}":              `this is no mail address`,
		"author: {name: a, email: 'a b@x'}":            `1:28: author.email: a mail address holds no spaces`,
		"sign: {key: k}":                               `1:7: sign.format is missing`,
		"sign: {format: ssh}":                          `1:7: sign.key is missing`,
		"sign: {format: x509, key: k}":                 `1:16: sign.format cannot be "x509"`,
		"sign: {format: ssh, key: 'ssh-ed25519 AAAA'}": `1:26: this is a public key, not a file`,
		"sign: {format: ssh, key: id_ed25519.pub}":     `1:26: this names a public key (name the private one's file: id_ed25519)`,
		"sign: {format: openpgp, key: --output=/x}":    `1:30: sign.key: a key that starts with a dash`,
		"sign:\n  format: ssh\n  key: |\n    -----BEGIN OPENSSH PRIVATE KEY-----\n    b3BlbnNzaC1rZXk\n": `4:5: sign.key: this is a private key, not where one is`,
	} {
		id, err := ParseIdentity(IdentityFile, []byte(data))
		if err == nil {
			t.Errorf("%s: %+v", data, id)
			continue
		}
		placed(t, err, []byte(data))
		got := err.Error() + " (" + fleet.HintOf(err) + ")"
		if !strings.Contains(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", data, got, want)
		}
		if strings.Contains(got, "b3Blbn") {
			t.Errorf("the error repeats the key: %s", got)
		}
	}
}
