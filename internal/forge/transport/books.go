package transport

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"sync"

	"gaggle/internal/forge"
)

// Books are where the limiters of one credential, in several processes and on several machines, agree on what is left.
type Books interface {
	// Amend reads what is kept under the name, "" for nothing, and keeps what change makes of it. Nobody else amends the same
	// name in between. change is called once at most; its error leaves everything as it was.
	Amend(ctx context.Context, name string, change func(kept string) (string, error)) error
}

// BookName is the name under which the limiters of a credential meet: the host, and a hash of what identifies the credential,
// from which it cannot be had back.
func BookName(site *url.URL, identity string) string {
	at := strings.ToLower(site.Host) + strings.TrimRight(site.Path, "/")
	sum := sha256.Sum256([]byte("gaggle forge budget\x00" + at + "\x00" + identity))
	return at + "#" + hex.EncodeToString(sum[:8])
}

// NameFor gives the name for whatever token the credential has at the time.
func NameFor(site *url.URL, c forge.Credential) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		if c == nil {
			return BookName(site, ""), nil
		}
		secret, err := c(ctx)
		if err != nil {
			return "", err
		}
		return BookName(site, secret.Reveal()), nil
	}
}

// memory is the Books of a limiter that shares with nobody.
type memory struct {
	mu   sync.Mutex
	kept string
}

func (m *memory) Amend(_ context.Context, _ string, change func(string) (string, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept, err := change(m.kept)
	if err == nil {
		m.kept = kept
	}
	return err
}
