package transport_test

import (
	"bufio"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gaggle/internal/forge"
	"gaggle/internal/forge/transport"
	"gaggle/internal/store"
)

// A process that is killed had taken a slice of the budget; others have it some seconds later.
func TestKilledProcess(t *testing.T) {
	if at := os.Getenv("GAGGLE_TEST_HOLDER"); at != "" {
		hold(t, at)
		return
	}
	var ahead time.Duration // of the killed one's clock: ours
	now := func() time.Time { return time.Now().Add(ahead) }
	h := newLimited(t, 100, now().Add(30*time.Minute))
	file := filepath.Join(t.TempDir(), "gaggle.db")
	holder := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledProcess$")
	holder.Env = append(os.Environ(), "GAGGLE_TEST_HOLDER="+file+" "+h.url.String())
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := holder.StdinPipe() // so that it waits until it is killed
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if said, err := bufio.NewReader(out).ReadString('\n'); said != "holding\n" {
		t.Fatalf("%q, %v", said, err)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait()

	s, err := store.Open(t.Context(), store.Config{URL: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	l := transport.NewLimiter(transport.Limits{}, now).Share(s, transport.NameFor(h.url, forge.Fixed(token)))
	tr, err := transport.New(transport.Config{Base: h.url, Credential: forge.Fixed(token), Limiter: l})
	if err != nil {
		t.Fatal(err)
	}
	if until(t, h, tr, "GET"); h.left == 0 {
		t.Error("its slice is used while it may live")
	}
	for range 5 {
		ahead += 20 * time.Second
		until(t, h, tr, "GET")
	}
	if h.left != 0 || h.refused != 0 {
		t.Errorf("%d left, %d refused", h.left, h.refused)
	}
}

// hold takes a slice, uses one call of it, and waits to be killed.
func hold(t *testing.T, at string) {
	file, host, _ := strings.Cut(at, " ")
	base, err := url.Parse(host)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Config{URL: file})
	if err != nil {
		t.Fatal(err)
	}
	l := transport.NewLimiter(transport.Limits{}, nil).Share(s, transport.NameFor(base, forge.Fixed(token)))
	tr, err := transport.New(transport.Config{Base: base, Credential: forge.Fixed(token), Limiter: l})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := tr.JSON(t.Context(), "GET", host, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = os.Stdout.WriteString("holding\n")
	_, _ = os.Stdin.Read(make([]byte, 1))
}
