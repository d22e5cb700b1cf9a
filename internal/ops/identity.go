package ops

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
	"gaggle/internal/publish"
	"gaggle/internal/spec"
)

// identity is who commits are by, and how they are signed.
type identity struct {
	author git.Identity
	sign   *git.Signing // nil: not
}

// readIdentity reads DATA/identity.yaml; without one commits are Gaggle's own and not signed. No key is looked at.
func readIdentity(data string) (identity, error) {
	id := identity{author: publish.DefaultAuthor()}
	file := filepath.Join(data, spec.IdentityFile)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // Open says what is wrong with the folder
		return id, nil
	}
	if err != nil {
		return id, fleet.Errorf(fleet.CodeInvalid, "%w", err)
	}
	in, err := spec.ParseIdentity(file, text)
	if err != nil {
		return id, err
	}
	if in.Name != "" {
		id.author = git.Identity{Name: in.Name, Email: in.Email}
	}
	if in.Format == "" {
		return id, nil
	}
	id.sign = &git.Signing{Format: in.Format, Key: in.Key}
	home, homeErr := os.UserHomeDir()
	rest, atHome := strings.CutPrefix(in.Key, "~/")
	switch {
	case in.Format == spec.SignOpenPGP:
		id.sign.Home = home // of the keyring
	case atHome:
		id.sign.Key = filepath.Join(home, rest)
	case !filepath.IsAbs(in.Key):
		id.sign.Key = filepath.Join(data, in.Key)
	}
	if homeErr != nil && (atHome || in.Format == spec.SignOpenPGP) {
		return id, &fleet.Error{Code: fleet.CodeInvalid, File: file, Message: "the signing key is below a home folder, and there is none", Hint: "set HOME", Err: homeErr}
	}
	return id, nil
}

// ready refuses a key that could sign nothing, before work is done that would end at it.
func (id identity) ready() error {
	if id.sign == nil || id.sign.Format != spec.SignSSH {
		return nil
	}
	_, err := publish.ReadKey(id.sign.Key)
	return err
}

// examineIdentity says who commits are by, and tries to sign one.
func examineIdentity(ctx context.Context, data string) Examined {
	e := Examined{Name: "commits", Required: true}
	id, err := readIdentity(data)
	if err == nil {
		e.Detail = "by " + id.author.Name + " <" + id.author.Email + ">, "
		var how string
		if how, err = publish.TrySigning(ctx, id.author, id.sign); err == nil {
			e.OK, e.Detail = true, e.Detail+how
			if id.sign == nil && id.author == publish.DefaultAuthor() {
				e.Detail += "; " + spec.IdentityFile + " in the data folder names another author, and a key"
			}
			return e
		}
	}
	e.Detail, e.Mend = e.Detail+err.Error(), fleet.HintOf(err)
	return e
}
