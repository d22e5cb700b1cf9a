package forge_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

func TestFromKeyring(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	token, asked := "", 0
	var fails error
	credential := forge.FromKeyring("work", func(service, account string) (string, error) {
		asked++
		if service != "gaggle" || account != "work" {
			t.Errorf("asked for %s of %s", account, service)
		}
		return token, fails
	}, func() time.Time { return now })
	if asked != 0 {
		t.Error("it was asked before anybody needed it")
	}
	get := func() (string, error) {
		s, err := credential(t.Context())
		return s.Reveal(), err
	}
	fails = errors.New("secret not found in keyring")
	if _, err := get(); fleet.CodeOf(err) != fleet.CodeForgeAuth || !strings.Contains(err.Error(), "work") || !strings.Contains(fleet.HintOf(err), "secret-tool store") {
		t.Errorf("%v (%s)", err, fleet.HintOf(err))
	}
	fails, token = nil, "one two"
	if _, err := get(); fleet.CodeOf(err) != fleet.CodeForgeAuth || strings.Contains(err.Error(), "two") {
		t.Error(err)
	}
	token = "first\n"
	for range 3 {
		if s, err := get(); s != "first" || err != nil {
			t.Errorf("%q, %v", s, err)
		}
	}
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
	token, now = "second", now.Add(time.Minute)
	if s, err := get(); s != "second" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
}

// A keyring that waits for a person does not hold anybody else.
func TestFromKeyringThatWaits(t *testing.T) {
	unlocked, waits := make(chan struct{}), make(chan struct{}, 1)
	credential := forge.FromKeyring("work", func(string, string) (string, error) {
		waits <- struct{}{}
		<-unlocked
		return "token", nil
	}, time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-waits
		cancel()
	}()
	for range 2 { // the second one waits for the first one's question
		if _, err := credential(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	close(unlocked)
	if s, err := credential(t.Context()); s.Reveal() != "token" || err != nil {
		t.Error(s, err)
	}
}
