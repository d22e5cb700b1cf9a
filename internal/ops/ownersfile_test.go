package ops

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// A change of the file counts once it has stood for a moment, a broken file lets nobody be disturbed, and none restricts nothing.
func TestOwnersFileIsReadAgain(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	file := &ownersFile{path: filepath.Join(t.TempDir(), spec.OwnersFile), now: func() time.Time { return now }}
	o := &Ops{owners: file}
	version := now
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		version = version.Add(time.Second)
		if err := os.Chtimes(file.path, version, version); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(most int, open bool) {
		t.Helper()
		rules := o.ownerRules("payments")
		if is, _, why := rules.Window(now); rules.Limits.PerOwner != most || is != open || is != (why == "") {
			t.Fatalf("at most %d, open %v (%s); want %d, %v", rules.Limits.PerOwner, is, why, most, open)
		}
	}
	expect(0, true)
	write("limits: {perOwner: 3}")
	expect(0, true) // noticed
	now = now.Add(settles)
	expect(3, true)
	write("")
	expect(3, true)
	now = now.Add(settles / 2)
	write("limits: {perOwner: 4}") // what the editor was about to write
	expect(3, true)
	now = now.Add(settles / 2)
	expect(3, true)
	now = now.Add(settles / 2)
	expect(4, true)
	if err := os.Remove(file.path); err != nil {
		t.Fatal(err)
	}
	expect(4, true)
	write("limits: {perOwner: 5}")
	expect(4, true)
	now = now.Add(settles)
	expect(5, true)
	write("limits: {perOwner: x}")
	expect(5, true)
	now = now.Add(settles)
	expect(0, false)
	var many *spec.Errors
	if _, err := file.current(); !errors.As(err, &many) || many.List[0].Line != 1 {
		t.Errorf("%v", err)
	}
	if o.ownerRules("payments").Merge != spec.MergeNever {
		t.Error("with a broken file Gaggle would merge")
	}
	if err := os.Remove(file.path); err != nil {
		t.Fatal(err)
	}
	expect(0, false)
	now = now.Add(settles)
	expect(0, true)
	// One that cannot be read at all is tried again at once.
	if err := os.Mkdir(file.path, 0o700); err != nil {
		t.Fatal(err)
	}
	expect(0, true)
	now = now.Add(settles)
	expect(0, false)
	if err := os.Remove(file.path); err != nil {
		t.Fatal(err)
	}
	expect(0, true)
}

func TestDoctorLooksAtOwners(t *testing.T) {
	data := t.TempDir()
	in := DoctorInput{Data: data}
	examine := func(text string, ok, required bool, says, mend string) {
		t.Helper()
		if text != "" {
			if err := os.WriteFile(filepath.Join(data, spec.OwnersFile), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		e := examineOwners(t.Context(), in)
		if e.OK != ok || !e.OK && e.Required != required || !strings.Contains(e.Detail, says) || !strings.Contains(e.Mend, mend) {
			t.Errorf("%+v", e)
		}
	}
	examine("", true, false, "pull requests are opened and merged at any time", "")
	examine("owners: {paymants: {merge: never}}", true, false, "is sound, and has an entry for group:default/paymants", "")
	if entries, err := os.ReadDir(data); err != nil || len(entries) != 1 {
		t.Errorf("the doctor made %v, %v", entries, err)
	}
	o, err := Open(t.Context(), Config{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	examine("owners: {paymants: {merge: never}}", true, false, "is sound", "") // an empty fleet has no owners yet
	if err := o.store.Tx(t.Context(), func(tx *store.Tx) error {
		return tx.PutRepository(t.Context(), store.RepositoryInventory{Repository: fleet.Repository{Name: "r"}, Components: []fleet.Component{{Ref: "component:default/r", Owner: "group:default/payments"}},
			Entities: []fleet.Entity{{Ref: "group:default/search", Kind: "Group"}}})
	}); err != nil {
		t.Fatal(err)
	}
	examine("owners: {paymants: {merge: never}, search: {merge: never}}", false, false, "but nothing in the fleet belongs to group:default/paymants", "did you mean group:default/payments?")
	examine("owners: {payments: {merge: never}, search: {merge: never}}", true, false, "has entries for 2 owners", "")
	examine("limits: {perOwner: x}\nhours: {}\nfreeze: 3\n", false, true, spec.OwnersFile+":1:20: ", "gaggle validate")
}
