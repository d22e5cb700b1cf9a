package forge

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"gaggle/internal/fleet"
)

// Secret is a token. Nothing that prints values prints it.
type Secret string

// String hides the secret.
func (Secret) String() string { return "[secret]" }

// GoString hides the secret.
func (Secret) GoString() string { return "[secret]" }

// MarshalText hides the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// Reveal returns the secret itself, for the header of a request.
func (s Secret) Reveal() string { return string(s) }

// Credential gives the token for a request. It is asked for each one, so that a token may be replaced while Gaggle
// runs. An error is forge_auth and never holds any part of a token.
type Credential func(ctx context.Context) (Secret, error)

// Fixed is a token that is at hand.
func Fixed(token string) Credential {
	return func(context.Context) (Secret, error) { return clean(token, "the token") }
}

// FromEnvironment is a token in an environment variable.
func FromEnvironment(env func(string) string, name string) Credential {
	return func(context.Context) (Secret, error) { return clean(env(name), "the environment variable "+name) }
}

// FromFile is a token in a file that only its owner may read.
func FromFile(path string) Credential {
	return func(context.Context) (Secret, error) {
		data, err := ReadPrivate(path)
		if err != nil {
			return "", err
		}
		return clean(string(data), path)
	}
}

// Keyring is where the keyring of the operating system holds Gaggle's tokens: in entries of this service, by account.
const Keyring = "gaggle"

// FromKeyring is a token in the keyring of the operating system, which get reads. It is asked for when it is first needed, for
// that may have a person unlock it, and again after a minute.
func FromKeyring(name string, get func(service, account string) (string, error), now func() time.Time) Credential {
	alone := make(chan struct{}, 1) // one question at a time
	var known Secret
	var until time.Time
	type answer struct {
		secret Secret
		err    error
	}
	return func(ctx context.Context) (Secret, error) {
		select {
		case alone <- struct{}{}:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		if now().Before(until) {
			defer func() { <-alone }()
			return known, nil
		}
		done := make(chan answer, 1)
		go func() { // the keyring knows no context
			defer func() { <-alone }()
			text, err := get(Keyring, name)
			if err != nil {
				done <- answer{err: &fleet.Error{Code: fleet.CodeForgeAuth, Message: "the system's keyring gives no token " + name + " of the service " + Keyring, Err: err,
					Hint: "unlock it, or store one: secret-tool store --label 'Gaggle " + name + "' service " + Keyring + " username " + name + " on Linux, security add-generic-password -s " + Keyring + " -a " + name + " -w on macOS, which both ask for it; without a keyring use tokenFile"}}
				return
			}
			secret, err := clean(text, "the keyring's token "+name)
			if err == nil {
				known, until = secret, now().Add(time.Minute)
			}
			done <- answer{secret, err}
		}()
		select {
		case a := <-done:
			return a.secret, a.err
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// ReadPrivate reads a file that holds a secret, and refuses one that others may read.
func ReadPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil, &fleet.Error{Code: fleet.CodeForgeAuth, Message: "there is no file " + path, Hint: "write the credential into it, and chmod 600"}
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, &fleet.Error{Code: fleet.CodeForgeAuth, Message: "others may read " + path, Hint: "chmod 600 " + path}
	}
	if err == nil && info.Size() > 1<<16 {
		return nil, fleet.Errorf(fleet.CodeForgeAuth, "%s is too large for a credential", path)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fleet.Errorf(fleet.CodeForgeAuth, "%s cannot be read: %w", path, err)
	}
	return data, nil
}

func clean(token, from string) (Secret, error) {
	token = strings.TrimSpace(token)
	if token == "" {
		return "", &fleet.Error{Code: fleet.CodeForgeAuth, Message: from + " is empty", Hint: "put a token there"}
	}
	for _, r := range token {
		if r <= ' ' || r >= 0x7f {
			return "", fleet.Errorf(fleet.CodeForgeAuth, "%s holds what no token has", from)
		}
	}
	return Secret(token), nil
}
