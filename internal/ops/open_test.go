package ops

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/fleet"
)

func TestUnwritableSaysWhatToDo(t *testing.T) {
	err := unwritable("/srv/data", &fleet.Error{Code: fleet.CodeGit, Message: "the folder of mirrors cannot be made", Err: fs.ErrPermission})
	if fleet.CodeOf(err) != fleet.CodeInvalid || !strings.Contains(err.Error(), "/srv/data cannot be written") || fleet.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	other := errors.New("other")
	if unwritable("/srv/data", other) != other {
		t.Error("another error was changed")
	}
}

func TestOpenRefusesAFolderThatIsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Data: file}); fleet.CodeOf(err) != fleet.CodeInvalid || fleet.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
}

func TestMissingRefSuggests(t *testing.T) {
	known := []string{"component:default/billing", "api:pay/ledger"}
	for ref, want := range map[string]string{
		"component:default/biling":  "did you mean billing?",
		"component:other/billing":   "did you mean billing?",
		"component:default/ledger":  "did you mean api:pay/ledger?",
		"component:default/unheard": "gaggle fleet list",
	} {
		if hint := fleet.HintOf(missingRef("m", ref, known, "gaggle fleet list")); !strings.HasPrefix(hint, want) {
			t.Errorf("%s: %q", ref, hint)
		}
	}
}
