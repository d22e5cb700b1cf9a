package forge

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

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
