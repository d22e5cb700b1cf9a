package llm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"gaggle/internal/fleet"
	"gaggle/internal/redact"
)

// exchange is one recorded request and its reply, as a file holds it. Its name is made from the request alone, without
// the host, so a recording is found whatever the base URL is.
type exchange struct {
	Method  string          `json:"method"`
	Path    string          `json:"path"`
	Request json.RawMessage `json:"request,omitempty"`
	Status  int             `json:"status"`
	Header  http.Header     `json:"header,omitempty"`
	Body    string          `json:"body"`
}

// tape is what Record and Replay share: the same request asked again is another exchange.
type tape struct {
	dir      string
	redactor *redact.Redactor
	mu       sync.Mutex
	times    map[string]int
}

// take reads the request's body, which it puts back, and returns the exchange begun and the file for it.
func (t *tape) take(req *http.Request) (exchange, string, error) {
	x := exchange{Method: req.Method, Path: req.URL.RequestURI()}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return x, "", err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		var v any // decoded and encoded again, so that neither blanks nor order matter
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.UseNumber()
		if dec.Decode(&v) != nil {
			v = string(body)
		}
		if body, err = json.Marshal(v); err != nil {
			return x, "", err
		}
		x.Request = t.redactor.Bytes(body)
		if !json.Valid(x.Request) {
			return x, "", fleet.Errorf(fleet.CodeInvalid, "a request holds a secret in a place that cannot be recorded")
		}
	}
	sum := sha256.Sum256([]byte(x.Method + " " + x.Path + "\n" + string(x.Request)))
	name := hex.EncodeToString(sum[:12])
	t.mu.Lock()
	defer t.mu.Unlock()
	t.times[name]++
	return x, filepath.Join(t.dir, fmt.Sprintf("%s-%d.json", name, t.times[name])), nil
}

// Record returns a transport that sends requests on to base and keeps each exchange as a file in dir, with what the
// redactor knows and recognises removed. A reply is read whole before it is passed on.
func Record(dir string, base http.RoundTripper, r *redact.Redactor) http.RoundTripper {
	return &recorder{tape{dir: dir, redactor: r, times: map[string]int{}}, base}
}

type recorder struct {
	tape
	base http.RoundTripper
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	x, file, err := r.take(req)
	if err != nil {
		return nil, err
	}
	res, err := r.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	x.Status, x.Body, x.Header = res.StatusCode, r.redactor.String(string(body)), http.Header{}
	for _, name := range []string{"Content-Type", "Retry-After"} {
		if v := res.Header.Get(name); v != "" {
			x.Header.Set(name, v)
		}
	}
	text, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o600); err != nil {
		return nil, fleet.Errorf(fleet.CodeInternal, "an exchange could not be recorded: %w", err)
	}
	return res, nil
}

// Replay returns a transport that answers from what Record kept in dir, and reaches nothing else. A request that was
// not recorded, or not that often, is an error of code not_found. The redactor must know what the recording one knew.
func Replay(dir string, r *redact.Redactor) http.RoundTripper {
	return &replayer{tape{dir: dir, redactor: r, times: map[string]int{}}}
}

type replayer struct{ tape }

func (r *replayer) RoundTrip(req *http.Request) (*http.Response, error) {
	x, file, err := r.take(req.Clone(req.Context()))
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &fleet.Error{Code: fleet.CodeNotFound, Message: fmt.Sprintf("no recording of %s %s with this body (%s)", x.Method, x.Path, filepath.Base(file)), Hint: "record it anew"}
	}
	if err := json.Unmarshal(text, &x); err != nil {
		return nil, fleet.Errorf(fleet.CodeInvalid, "%s is not a recording: %w", filepath.Base(file), err)
	}
	return &http.Response{
		Status: http.StatusText(x.Status), StatusCode: x.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: x.Header, Body: io.NopCloser(bytes.NewReader([]byte(x.Body))), ContentLength: int64(len(x.Body)), Request: req,
	}, nil
}
