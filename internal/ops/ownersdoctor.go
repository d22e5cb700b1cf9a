package ops

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/spec"
	"gaggle/internal/store"
)

// examineOwners says whether there is a policy about owners' time, and whether it is sound.
func examineOwners(ctx context.Context, in DoctorInput) Examined {
	e := Examined{Name: "owners' time"}
	file := &ownersFile{path: filepath.Join(in.Data, spec.OwnersFile)}
	at, err := file.look()
	if err == nil && at == (stamp{}) {
		e.OK = true
		e.Detail = "no " + file.path + ": pull requests are opened and merged at any time, in any number"
		return e
	}
	owners, err := ReadOwners(file.path)
	if err != nil {
		e.Required = true // nothing runs
		e.Detail, e.Mend = firstProblem(err, file.path)
		return e
	}
	e.OK, e.Detail = true, file.path+" is sound"
	named := owners.Named()
	if len(named) == 0 {
		return e
	}
	e.Detail += fmt.Sprintf(", and has entries for %d owners", len(named))
	if len(named) == 1 {
		e.Detail = file.path + " is sound, and has an entry for " + named[0]
	}
	known, err := knownOwners(ctx, in)
	if err != nil || len(known) == 0 {
		return e // there is no fleet yet, or the data folder's entry says what is wrong with it
	}
	if lost := slices.DeleteFunc(named, func(ref string) bool { return slices.Contains(known, ref) }); len(lost) > 0 {
		e.OK = false
		e.Detail = file.path + " is sound, but nothing in the fleet belongs to " + strings.Join(lost[:min(len(lost), 5)], ", ")
		if len(lost) > 5 {
			e.Detail += fmt.Sprintf(" and %d more", len(lost)-5)
		}
		e.Mend = "write owners as gaggle fleet list shows them"
		if near := nearestOwner(lost[0], known); near != "" {
			e.Mend = "did you mean " + near + "? " + e.Mend
		}
	}
	return e
}

// nearestOwner is the one that may be meant, by its name alone; "" for none.
func nearestOwner(ref string, known []string) string {
	_, _, name := fleet.ParseRef(ref, "group", "")
	names := make([]string, len(known))
	for i, k := range known {
		if _, _, names[i] = fleet.ParseRef(k, "group", ""); names[i] == name {
			return k // right but for its kind or namespace
		}
	}
	if near := spec.Nearest(name, names); near != "" {
		return known[slices.Index(names, near)]
	}
	return ""
}

// knownOwners are those of the fleet's components, and the groups and users of its catalog. It makes no database.
func knownOwners(ctx context.Context, in DoctorInput) ([]string, error) {
	database := in.Database
	if database == "" {
		database = filepath.Join(in.Data, databaseFile)
		if _, err := os.Stat(database); err != nil {
			return nil, nil
		}
	}
	s, err := store.Open(ctx, store.Config{URL: database})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	components, err := s.Components(ctx)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, c := range components {
		if c.Owner != "" {
			known = append(known, c.Owner)
		}
	}
	for _, kind := range []string{"Group", "User"} {
		entities, err := s.Entities(ctx, kind)
		if err != nil {
			return nil, err
		}
		for _, one := range entities {
			known = append(known, one.Ref)
		}
	}
	slices.Sort(known)
	return slices.Compact(known), nil
}

// firstProblem says what is wrong with a file, and how to mend it.
func firstProblem(err error, file string) (detail, mend string) {
	mend = fleet.HintOf(err)
	var many *spec.Errors
	if errors.As(err, &many) {
		mend = many.List[0].Hint
		if more := len(many.List) + many.More - 1; more > 0 {
			mend = fmt.Sprintf("%s (gaggle validate %s shows %d more)", mend, file, more)
		}
	}
	return firstLine(err), mend
}
