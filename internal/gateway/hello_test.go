package gateway

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
)

// greeting returns the bytes that a TLS client sends first.
func greeting(t testing.TB, config *tls.Config) []byte {
	near, far := net.Pipe()
	defer near.Close()
	go func() {
		tls.Client(far, config).Handshake()
		far.Close()
	}()
	raw, _, err := readHello(near)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestGreetingsAreRead(t *testing.T) {
	raw := greeting(t, &tls.Config{ServerName: "a.example", NextProtos: []string{"h2", "http/1.1"}})
	got, host, err := readHello(bytes.NewReader(append(bytes.Clone(raw), "more"...)))
	if err != nil || host != "a.example" || !bytes.Equal(got, raw) {
		t.Errorf("%q %v, %d bytes of %d", host, err, len(got), len(raw))
	}
	// The same greeting in many records.
	var cut []byte
	for rest := raw[5:]; len(rest) > 0; {
		n := min(7, len(rest))
		cut = append(append(cut, raw[0], raw[1], raw[2], 0, byte(n)), rest[:n]...)
		rest = rest[n:]
	}
	if got, host, err := readHello(bytes.NewReader(cut)); err != nil || host != "a.example" || !bytes.Equal(got, cut) {
		t.Errorf("in records: %q %v", host, err)
	}
	for n := range raw {
		if _, host, err := readHello(bytes.NewReader(raw[:n])); err == nil {
			t.Fatalf("%d bytes of %d name %q", n, len(raw), host)
		}
	}
}

func TestHostNames(t *testing.T) {
	for text, want := range map[string]string{
		"Example.COM": "example.com", "example.com.": "example.com", "a_b.example.com": "a_b.example.com", "xn--bcher-kva.example": "xn--bcher-kva.example",
		"1.2.3.4": "1.2.3.4", "::1": "::1", "2606:4700:0:0::1": "2606:4700::1", "localhost": "localhost",
	} {
		if got, ok := hostName(text); !ok || got != want {
			t.Errorf("%q: %q %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"", ".", "..", "a..b", "-a.example", "a b", "a\x00b", "a%00b", "a/b", "a:b", "a@b", "bücher.example", "1.2.3", "127.1", "0x7f.0x1", "0177.0.0.1", "2130706433", "1.2.3.4.", "1.2.3.256",
		"fe80::1%eth0", strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 127) + "aa", "a\n", "a\t", "*.example", "example.0x10",
	} {
		if got, ok := hostName(text); ok {
			t.Errorf("%q was taken as %q", text, got)
		}
	}
}

func FuzzHello(f *testing.F) {
	raw := greeting(f, &tls.Config{ServerName: "a.example"})
	f.Add(raw)
	f.Add(raw[:40])
	f.Add([]byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		in := bytes.NewReader(text)
		raw, host, err := readHello(in)
		if err != nil {
			return
		}
		rest, _ := io.ReadAll(in)
		if host == "" || !bytes.Equal(append(raw, rest...), text) {
			t.Fatalf("host %q, %d bytes read and %d left of %d", host, len(raw), len(rest), len(text))
		}
	})
}
