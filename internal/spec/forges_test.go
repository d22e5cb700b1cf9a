package spec

import (
	"reflect"
	"strings"
	"testing"

	"gaggle/internal/fleet"
)

func TestForges(t *testing.T) {
	const file = "forges:\n  work:\n    kind: github\n    app: {id: 12345, installation: 67890, keyFile: app.pem}\n  git: {kind: gitea, url: 'https://git.example.com', tokenFile: t}\n  acme: {kind: azure, url: https://dev.azure.com/acme, keyring: acme}\n"
	got, err := ParseForges(ForgesFile, []byte(file))
	want := map[string]Forge{
		"work": {Kind: "github", App: ForgeApp{12345, 67890, "app.pem"}, Line: 2, Column: 3},
		"git":  {Kind: "gitea", URL: "https://git.example.com", TokenFile: "t", Line: 5, Column: 3},
		"acme": {Kind: "azure", URL: "https://dev.azure.com/acme", Keyring: "acme", Line: 6, Column: 3},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := validate(t, ForgesSchema(), []byte(file)); err != nil {
		t.Error(err)
	}
	for _, empty := range []string{"", "# nothing\n", "kind: Forges\n"} {
		if got, err := ParseForges(ForgesFile, []byte(empty)); len(got) > 0 || err != nil {
			t.Errorf("%q: %+v, %v", empty, got, err)
		}
	}
}

func TestForgesAreRefused(t *testing.T) {
	for data, want := range map[string]string{
		"forges: [x]": `forges.yaml:1:9: forges is a mapping, not`,
		"forges: [x":  `forges.yaml:1:9: not YAML`,
		"froges: {}":  `1:1: unknown key "froges" (did you mean forges?)`,
		"forges: {a: {url: 'https://x', tokenEnv: T}}":                           `1:13: kind is missing`,
		"forges: {a: {kind: githb, tokenEnv: T}}":                                `1:20: kind cannot be "githb" (did you mean github?)`,
		"forges: {a: {kind: github, token: ghp_secret}}":                         `1:28: unknown key "token" (did you mean tokenEnv?)`,
		"forges: {a: {kind: github}}":                                            `1:10: forge "a" names no credential`,
		"forges: {local: {kind: github, tokenEnv: T}}":                           `1:10: forges: this name cannot be used`,
		"forges: {'a b': {kind: github, tokenEnv: T}}":                           `" " cannot stand in a forge's name`,
		"forges: {a: {kind: gitea, tokenEnv: T}}":                                `forge "a" has no url (url: https://git.example.com)`,
		"forges: {a: {kind: azure, tokenEnv: T}}":                                `forge "a" has no url (url: https://dev.azure.com/`,
		"forges: {a: {kind: gitea, url: git.example.com, tokenEnv: T}}":          `1:32: url: this is no address of a site`,
		"forges: {a: {kind: github, app: {id: x}}}":                              `1:38: app.id is a whole number`,
		"forges: {a: {kind: gitlab, app: {id: 1, installation: 2, keyFile: k}}}": `forge "a" has no Apps`,
		"forges: {a: {kind: github, keyring: '-x'}}":                             `keyring: an account of the keyring cannot have "-" here`,
		"forges: {a: {kind: github, keyring: 'a b'}}":                            `keyring: an account of the keyring cannot have " " here`,
	} {
		got, err := ParseForges(ForgesFile, []byte(data))
		if err == nil {
			t.Errorf("%s: %+v", data, got)
			continue
		}
		placed(t, err, []byte(data))
		if said := err.Error() + " (" + fleet.HintOf(err) + ")"; !strings.Contains(said, want) || strings.Contains(said, "ghp_secret") {
			t.Errorf("%s:\n got %s\nwant %s", data, said, want)
		}
	}
}
