package publish

import (
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
	"gaggle/internal/git"
)

// Key is an ssh key that signs.
type Key struct {
	Fingerprint string             // as ssh-keygen -l and the code hosts show it
	private     ed25519.PrivateKey // nil for a key of another type
}

// ReadKey reads the file of a private ssh key. The error never holds any part of it.
func ReadKey(path string) (Key, error) {
	bad := func(message, hint string) (Key, error) {
		return Key{}, &fleet.Error{Code: fleet.CodeSignature, Message: "the signing key " + path + " " + message, Hint: hint}
	}
	data, err := forge.ReadPrivate(path)
	if err != nil {
		return Key{}, &fleet.Error{Code: fleet.CodeSignature, Message: "the signing key cannot be used", Hint: "ssh-keygen -t ed25519 -N '' -f FILE makes one; its file is for its owner alone", Err: err}
	}
	raw, err := ssh.ParseRawPrivateKey(data)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return bad("has a passphrase, and nobody is there to type it", "make a key of its own for Gaggle: ssh-keygen -t ed25519 -N '' -f FILE")
	case err != nil:
		return bad("is no private ssh key", "name the file without .pub")
	}
	signer, err := ssh.NewSignerFromKey(raw)
	if err != nil {
		return bad("is of a type that is not known", "ssh-keygen -t ed25519 -N '' -f FILE makes one that is")
	}
	k := Key{Fingerprint: ssh.FingerprintSHA256(signer.PublicKey())}
	switch private := raw.(type) {
	case ed25519.PrivateKey:
		k.private = private
	case *ed25519.PrivateKey:
		k.private = *private
	}
	return k, nil
}

// TrySigning makes a commit in a repository of its own as pull requests' are made, and says how it was signed.
func TrySigning(ctx context.Context, author git.Identity, sign *git.Signing) (how string, err error) {
	if sign == nil {
		return "not signed", nil
	}
	how = "signed with the OpenPGP key " + sign.Key
	if sign.Format == "ssh" {
		key, err := ReadKey(sign.Key)
		if err != nil {
			return "", err
		}
		how = "signed with the ssh key " + key.Fingerprint
	}
	dir, err := os.MkdirTemp("", "gaggle-signing-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	store, err := git.Open(git.Config{Dir: filepath.Join(dir, "mirrors"), AllowFile: true})
	if err != nil {
		return "", err
	}
	at := filepath.Join(dir, "try.git")
	when := time.Unix(1_700_000_000, 0)
	if err := store.Make(ctx, at, git.NewRepository{Files: map[string][]byte{"a": nil}, Message: "try", Author: author, Date: when}); err != nil {
		return "", err
	}
	repo := fleet.Repository{Name: "try", URL: at}
	head, err := store.Refresh(ctx, repo, 0)
	if err != nil {
		return "", err
	}
	_, err = store.Commit(ctx, repo, git.CommitSpec{Base: head.Commit, Message: "try", Author: author, Date: when, Sign: sign})
	return how, err
}
