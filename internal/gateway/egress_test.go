package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// send writes raw bytes to a session and returns the answer's status line and body, or what ended it.
func send(t *testing.T, w *world, raw string) (status int, body string) {
	t.Helper()
	conn, err := w.session.inner.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go io.WriteString(conn, raw)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	if strings.HasPrefix(raw, "CONNECT ") && res.StatusCode == 200 {
		return 200, ""
	}
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

// outside is an internet of one address, on which every name of the tests lives.
type outside struct {
	plain, secure *httptest.Server
	dialed        atomic.Int32
	names         map[string][]string
}

// internet makes one whose addresses look public, and lets a gateway reach it.
func internet(t *testing.T, handler http.HandlerFunc) (*outside, func(*Config, *SessionConfig)) {
	t.Helper()
	o := &outside{plain: httptest.NewServer(handler), secure: httptest.NewUnstartedServer(handler), names: map[string][]string{}}
	o.secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	o.secure.StartTLS()
	t.Cleanup(func() { o.plain.Close(); o.secure.Close() })
	return o, func(c *Config, s *SessionConfig) {
		s.Egress = []string{"allowed.example", "*.wild.example", "ported.example:8443", "private.example", "[2606:4700::1]:443"}
		s.Private = []string{"private.example"}
		c.Lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
			addresses := o.names[host]
			if addresses == nil {
				addresses = []string{"93.184.216.34"}
			}
			var all []netip.Addr
			for _, a := range addresses {
				if a == "none" {
					return nil, errors.New("no such host")
				}
				all = append(all, netip.MustParseAddr(a))
			}
			return all, nil
		}
		c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			o.dialed.Add(1)
			to := o.plain
			if strings.HasSuffix(address, "443") {
				to = o.secure
			}
			return (&net.Dialer{}).DialContext(ctx, network, to.Listener.Addr().String())
		}
	}
}

func TestPlainHTTPToAllowedHosts(t *testing.T) {
	o, config := internet(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "1")
		fmt.Fprintf(w, "%s %s %s %v", r.Method, r.Host, r.URL, r.Header)
	})
	w := start(t, never(t), config)
	for raw, want := range map[string]string{
		"GET http://allowed.example/a?b HTTP/1.1\r\nHost: evil.example\r\nProxy-Authorization: x\r\nX-Ok: 1\r\nConnection: close, X-Drop\r\nX-Drop: 1\r\nX-Forwarded-For: 1\r\n\r\n": "GET allowed.example /a?b map[Connection:[close] X-Ok:[1]]",
		"GET http://ALLOWED.example./ HTTP/1.1\r\nHost: x\r\n\r\n":                                                                       "GET allowed.example / map[Connection:[close]]",
		"GET http://a.b.wild.example/ HTTP/1.1\r\nHost: x\r\n\r\n":                                                                       "GET a.b.wild.example / map[Connection:[close]]",
		"POST http://allowed.example/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n": "POST allowed.example / map[Connection:[close]]",
	} {
		if status, body := send(t, w, raw); status != 200 || body != want {
			t.Errorf("%q: %d %s", raw, status, body)
		}
	}
	if o.dialed.Load() != 4 {
		t.Errorf("dialed %d times", o.dialed.Load())
	}
	if e := w.transcript.entries(t)[0]; e.Kind != "egress" || e.Host == "" || e.Status != 200 {
		t.Errorf("%+v", e)
	}
}

func TestWhatEgressRefuses(t *testing.T) {
	o, config := internet(t, func(w http.ResponseWriter, r *http.Request) {})
	w := start(t, never(t), config)
	for name, address := range map[string]string{
		"allowed.example": "127.0.0.1", "x.wild.example": "169.254.169.254",
	} {
		o.names[name] = []string{address, "10.0.0.1", "::1", "fd00::1", "::ffff:192.168.1.1", "64:ff9b::7f00:1", "2002:7f00:1::", "0.0.0.0", "100.64.0.1", "fe80::1", "224.0.0.1", "192.0.0.192"}
	}
	o.names["gone.wild.example"] = []string{"none"}
	for _, raw := range []string{
		// not allowed, or not a host
		"GET http://evil.example/", "GET http://wild.example/", "GET http://xwild.example/", "GET http://allowed.example.evil.example/", "GET http://ported.example/",
		"GET http://allowed.example:8080/", "GET http://ported.example:443/", "GET http://127.0.0.1/", "GET http://[::1]/", "GET http://0x7f.1/", "GET http://2130706433/", "GET http://017700000001/",
		"GET http://93.184.216.34/", "GET http://user@allowed.example/", "GET http://allowed.example@evil.example/", "GET http://allowed.example%00.evil.example/", "GET http://evil.example%2f.wild.example/",
		"GET http://evil.example\x00.wild.example/", "GET http://evil.example#.wild.example/", "GET http://evil.example\\.wild.example/", "GET http://\u0430llowed.example/", "GET http://[fe80::1%25eth0]/",
		"GET https://allowed.example/", "GET ftp://allowed.example/", "GET http://allowed.example:443/", "GET http:///", "GET http://.wild.example/", "GET http://-.wild.example/",
		"CONNECT evil.example:443", "CONNECT allowed.example", "CONNECT allowed.example:22", "CONNECT allowed.example:80", "CONNECT 93.184.216.34:443", "CONNECT allowed.example\x00.evil.example:443", "CONNECT evil.example\x00.wild.example:443",
		"CONNECT 127.0.0.1:443", "CONNECT [::1]:443", "CONNECT allowed.example:443:443", "CONNECT allowed.example:0443", "CONNECT http://allowed.example:443", "CONNECT :443", "CONNECT /",
		// private after resolution
		"GET http://allowed.example/", "CONNECT allowed.example:443", "GET http://x.wild.example/", "CONNECT x.wild.example:443", "GET http://gone.wild.example/",
	} {
		method, target, _ := strings.Cut(raw, " ")
		status, body := send(t, w, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: allowed.example\r\n\r\n", method, target))
		if status >= 200 && status < 400 {
			t.Errorf("%q: %d %s", raw, status, body)
		}
	}
	// Smuggling: requests that two readers would split in two ways.
	for _, raw := range []string{
		"GET http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\nHost: evil.example\r\n\r\n",
		"POST http://y.wild.example/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"POST http://y.wild.example/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"GET http://y.wild.example/ HTTP/1.1\r\nHost : x\r\n\r\n",
		"GET http://y.wild.example/ HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
		"GET http://y.wild.example/ HTTP/1.1\r\nHost: x\r\nX: a\r\n b: c\nHost: evil.example\r\n\r\n\x00",
	} {
		if status, _ := send(t, w, raw); status == 200 {
			t.Errorf("%q was taken", raw)
		}
	}
	if o.dialed.Load() != 0 {
		t.Errorf("something was dialed")
	}
	for _, e := range w.transcript.entries(t) {
		if e.Error == "" {
			t.Errorf("%+v", e)
		}
	}
}

func TestPrivateAddressesWhereAllowed(t *testing.T) {
	o, config := internet(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "inside") })
	w := start(t, never(t), config)
	o.names["private.example"] = []string{"10.0.0.7"}
	o.names["allowed.example"] = []string{"10.0.0.7", "93.184.216.34"}
	for _, host := range []string{"private.example", "allowed.example"} { // the second by its public address
		if status, body := send(t, w, "GET http://"+host+"/ HTTP/1.1\r\nHost: x\r\n\r\n"); status != 200 || body != "inside" {
			t.Errorf("%s: %d %s", host, status, body)
		}
	}
}

// through makes a TLS connection through the session's proxy, naming sni.
func through(t *testing.T, w *world, to, sni string, change func(*tls.Config)) (*tls.Conn, error) {
	t.Helper()
	conn, err := w.session.inner.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", to, to)
	res, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil)
	if err != nil || res.StatusCode != 200 {
		return nil, fmt.Errorf("%v %v", res, err)
	}
	config := &tls.Config{ServerName: sni, InsecureSkipVerify: true}
	if change != nil {
		change(config)
	}
	c := tls.Client(conn, config)
	conn.SetDeadline(time.Now().Add(20 * time.Second)) // a test that hangs says where
	return c, c.HandshakeContext(t.Context())
}

func TestTunnels(t *testing.T) {
	_, config := internet(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello "+r.TLS.ServerName) })
	w := start(t, never(t), config)
	for to, sni := range map[string]string{"allowed.example:443": "allowed.example", "ALLOWED.example.:443": "allowed.example", "x.wild.example:443": "X.wild.example", "ported.example:8443": "ported.example", "[2606:4700::1]:443": ""} {
		c, err := through(t, w, to, sni, nil)
		if err != nil {
			t.Errorf("%s: %v", to, err)
			continue
		}
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", sni)
		text, _ := io.ReadAll(c)
		if !strings.HasSuffix(string(text), "hello "+sni) {
			t.Errorf("%s: %q", to, text)
		}
		c.Close()
	}
	w.session.work.Wait()
	entries := w.transcript.entries(t)
	if len(entries) != 5 || entries[0].Sent == 0 || entries[0].Received == 0 {
		t.Errorf("%+v", entries)
	}
}

func TestTunnelsThatNameAnotherHost(t *testing.T) {
	_, config := internet(t, func(w http.ResponseWriter, r *http.Request) {})
	w := start(t, never(t), config)
	for _, sni := range []string{"evil.example", "allowed.example.evil.example", ""} {
		if _, err := through(t, w, "allowed.example:443", sni, nil); err == nil {
			t.Errorf("a tunnel to allowed.example was used for %q", sni)
		}
	}
	hidden := func(c *tls.Config) {
		c.MinVersion = tls.VersionTLS13
		c.EncryptedClientHelloConfigList = echConfig("allowed.example")
	}
	if _, err := through(t, w, "allowed.example:443", "evil.example", hidden); err == nil {
		t.Error("a tunnel was used for a hidden host")
	}
	for _, raw := range []string{"SSH-2.0-OpenSSH_9.6\r\n", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "\x16\x03\x01\x00\x00", "\x16\x03\x01\xff\xff", "\x15\x03\x01\x00\x02\x01\x00", "\x16\x03\x01\x00\x04\x02\x00\x00\x00"} {
		conn, err := w.session.inner.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "CONNECT allowed.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
		in := bufio.NewReader(conn)
		if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != 200 {
			t.Fatal(res, err)
		}
		io.WriteString(conn, raw)
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := in.ReadByte(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%q: %v", raw, err)
		}
		conn.Close()
	}
	w.session.work.Wait()
	if entries := w.transcript.entries(t); len(entries) != 10 {
		t.Errorf("%d lines", len(entries))
	}
}

// echConfig is a list of one key for encrypted greetings under a public name.
func echConfig(publicName string) []byte {
	key := make([]byte, 32)
	key[0] = 9 // X25519's base point: a valid key that nobody holds
	b := []byte{1, 0, 0x20, 0, 32}
	b = append(b, key...)
	b = append(b, 0, 4, 0, 1, 0, 1, 32, byte(len(publicName)))
	b = append(b, publicName...)
	b = append(b, 0, 0)
	one := append([]byte{0xfe, 0x0d, byte(len(b) >> 8), byte(len(b))}, b...)
	return append([]byte{byte(len(one) >> 8), byte(len(one))}, one...)
}

func TestTunnelsAreCountedAndEndWithTheSession(t *testing.T) {
	_, config := internet(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	w := start(t, never(t), func(c *Config, s *SessionConfig) { config(c, s); s.Tunnels = 2 })
	var open []*tls.Conn
	for range 2 {
		c, err := through(t, w, "allowed.example:443", "allowed.example", nil)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	if _, err := through(t, w, "allowed.example:443", "allowed.example", nil); err == nil {
		t.Error("a third tunnel was made")
	}
	if err := w.session.Close(); err != nil {
		t.Error(err)
	}
	for _, c := range open {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("a tunnel outlives its session")
		}
	}
}

func TestIdleTunnelsEnd(t *testing.T) {
	_, config := internet(t, func(w http.ResponseWriter, r *http.Request) {})
	w := start(t, never(t), func(c *Config, s *SessionConfig) { config(c, s); c.Timeouts.Idle = 30 * time.Millisecond })
	c, err := through(t, w, "allowed.example:443", "allowed.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("it goes on")
	}
}

// TestARealClient uses net/http's own proxy support, for both kinds of request.
func TestARealClient(t *testing.T) {
	_, config := internet(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello "+r.Host) })
	w := start(t, streams(messagesReply), config)
	front := httptest.NewServer(w.session)
	defer front.Close()
	proxy, err := url.Parse(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	transport.Proxy = http.ProxyURL(proxy)
	client := &http.Client{Transport: transport}
	defer transport.CloseIdleConnections()
	for _, at := range []string{"http://allowed.example/x", "https://allowed.example/x", "https://a.wild.example/"} {
		res, err := client.Get(at)
		if err != nil {
			t.Errorf("%s: %v", at, err)
			continue
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if !strings.HasPrefix(string(text), "hello ") {
			t.Errorf("%s: %s", at, text)
		}
	}
	if _, err := client.Get("https://evil.example/"); err == nil {
		t.Error("evil.example was reached")
	}
	// A client that sends what it means for the gateway through its proxy settings is understood.
	for _, at := range []string{"http://127.0.0.1:8787", "http://localhost:4321", "http://gateway"} {
		res, err := client.Post(at+kinds[0].path, "application/json", strings.NewReader(kinds[0].body))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if string(text) != messagesReply {
			t.Errorf("%s: %s", at, text)
		}
	}
}
