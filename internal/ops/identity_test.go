package ops

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/fleet"
)

func TestIdentityIsReadFromTheDataFolder(t *testing.T) {
	data, home := t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	read := func(text string) (identity, error) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(data, "identity.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return readIdentity(data)
	}
	if id, err := readIdentity(data); err != nil || id.sign != nil || id.author.Email != "gaggle@localhost" || id.ready() != nil {
		t.Errorf("without a file: %+v, %v", id, err)
	}
	for key, want := range map[string]string{"keys/a": filepath.Join(data, "keys/a"), "~/a": filepath.Join(home, "a"), "/srv/a": "/srv/a"} {
		id, err := read("sign: {format: ssh, key: " + key + "}")
		if err != nil || id.sign.Key != want || id.sign.Home != "" {
			t.Errorf("%s: %+v, %v", key, id.sign, err)
		}
		if err := id.ready(); fleet.CodeOf(err) != fleet.CodeSignature {
			t.Errorf("a key that is not there: %v", err)
		}
	}
	if id, err := read("sign: {format: openpgp, key: ABCDEF}\nauthor: {name: a, email: a@b}"); err != nil || id.sign.Key != "ABCDEF" || id.sign.Home != home || id.author.Name != "a" || id.ready() != nil {
		t.Errorf("%+v, %v", id, err)
	}
	_, err := read("sign: {format: ssh}")
	if fleet.CodeOf(err) != fleet.CodeInvalid || !strings.Contains(err.Error(), "identity.yaml:1:7: sign.key is missing") {
		t.Error(err)
	}
	if _, err := Open(t.Context(), Config{Data: data}); fleet.CodeOf(err) != fleet.CodeInvalid {
		t.Errorf("opened with a broken identity: %v", err)
	}
	t.Setenv("HOME", "")
	if _, err := read("sign: {format: ssh, key: ~/a}"); fleet.CodeOf(err) != fleet.CodeInvalid || fleet.HintOf(err) == "" {
		t.Errorf("no home: %v", err)
	}
}
