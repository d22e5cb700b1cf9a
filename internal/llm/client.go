package llm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/llm/wire"
	"gaggle/internal/redact"
)

// CodeHeader is the header in which the gateway repeats the code of an error of its own.
const CodeHeader = "X-Gaggle-Code"

// Config is what a Client needs.
type Config struct {
	Format  wire.Format                                // wire.Messages or wire.Chat
	BaseURL string                                     // what /v1/messages or /chat/completions is added to: "https://api.anthropic.com", "https://api.openai.com/v1"
	Key     string                                     // added as the provider wants it; "" when the gateway adds it or none is needed
	HTTP    *http.Client                               // Defaults to http.DefaultClient
	Retries int                                        // after a reply of 429, 529 or 5xx, or none at all. Defaults to 4; negative for none
	Sleep   func(context.Context, time.Duration) error // Defaults to a timer that ctx ends early
}

// New makes a Client.
func New(c Config) (Client, error) {
	if c.HTTP == nil {
		c.HTTP = http.DefaultClient
	}
	if c.Retries == 0 {
		c.Retries = 4
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	// A redirect is not followed: it would take the key along.
	own := *c.HTTP
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.HTTP = &own
	call := caller{c, redact.New(c.Key)}
	switch c.Format {
	case wire.Messages:
		return &anthropic{caller: call}, nil
	case wire.Chat:
		return &openAI{caller: call}, nil
	}
	return nil, fleet.Errorf(fleet.CodeUnsupported, "no client speaks %q", c.Format)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const (
	maxReply   = 64 << 20
	maxBackoff = time.Minute
)

// caller sends requests and retries them.
type caller struct {
	Config
	redactor *redact.Redactor // an endpoint may repeat the key in what it answers
}

// refusal is an answer that is not 2xx.
type refusal struct {
	status  int
	code    fleet.Code // the gateway's, else ""
	kind    string     // the provider's word for it
	message string
	wait    time.Duration // what Retry-After asks for
}

func (r *refusal) Error() string {
	return fmt.Sprintf("the model's endpoint answered %d %s: %s", r.status, r.kind, r.message)
}

func (r *refusal) busy() bool {
	return r.code == "" && (r.status == 429 || r.status == 408 || r.status >= 500)
}

// post sends a body and decodes the reply, with retries. A *refusal is returned as it is: the formats know more of it.
func (c *caller) post(ctx context.Context, path string, header http.Header, body, reply any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fleet.Errorf(fleet.CodeInvalid, "a request to a model could not be written: %w", err)
	}
	for try := 0; ; try++ {
		err := c.once(ctx, path, header, text, reply)
		var no *refusal
		var none *noReply
		again := errors.As(err, &no) && no.busy() || errors.As(err, &none)
		if err == nil || !again || try >= c.Retries {
			return err
		}
		wait := time.Second << min(try, 10)
		wait = wait/2 + rand.N(wait/2+1)
		if no != nil && no.wait > 0 {
			wait = no.wait
		}
		if err := c.Sleep(ctx, min(wait, maxBackoff)); err != nil {
			return interrupted(err)
		}
	}
}

// noReply marks a cause after which the same request may be sent again.
type noReply struct{ error }

func (e *noReply) Unwrap() error { return e.error }

func (c *caller) once(ctx context.Context, path string, header http.Header, body []byte, reply any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return &fleet.Error{Code: fleet.CodeInvalid, Message: "the model's endpoint has no usable address", Hint: "check the base URL"}
	}
	for key, values := range header {
		req.Header[key] = values
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.HTTP.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return interrupted(ctx.Err())
		}
		return &fleet.Error{Code: fleet.CodeModel, Message: "the model's endpoint cannot be reached", Err: &noReply{c.redactor.Error(err)}}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxReply+1))
	if res.StatusCode/100 != 2 {
		return readRefusal(res, c.redactor.Bytes(text))
	}
	switch {
	case ctx.Err() != nil:
		return interrupted(ctx.Err())
	case err != nil:
		return &fleet.Error{Code: fleet.CodeModel, Message: "the model's reply broke off", Err: &noReply{err}}
	case len(text) > maxReply:
		return fleet.Errorf(fleet.CodeModel, "the model's reply is longer than %d MB", maxReply>>20)
	}
	if err := json.Unmarshal(text, reply); err != nil {
		return fleet.Errorf(fleet.CodeModel, "the model's reply is not what its format asks for: %w", err)
	}
	return nil
}

func interrupted(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return &fleet.Error{Code: fleet.CodeTimeout, Message: "the time for the request to the model is over", Err: err}
	}
	return &fleet.Error{Code: fleet.CodeInterrupted, Message: "the request to the model was stopped", Err: err}
}

func readRefusal(res *http.Response, text []byte) *refusal {
	r := &refusal{status: res.StatusCode}
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	var inner struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &body) == nil && json.Unmarshal(body.Error, &inner) == nil {
		r.kind, r.message = inner.Type, inner.Message
	}
	if r.message == "" {
		r.message = strings.TrimSpace(string(text[:min(len(text), 300)]))
	}
	switch code := fleet.Code(res.Header.Get(CodeHeader)); code {
	case fleet.CodeBudget, fleet.CodePolicy, fleet.CodeInvalid, fleet.CodeModel, fleet.CodeInternal:
		r.code = code
	}
	if s, err := strconv.ParseFloat(res.Header.Get("Retry-After"), 64); err == nil && s > 0 && s < 1e6 {
		r.wait = time.Duration(s * float64(time.Second))
	}
	return r
}

// explain turns a refusal into an error for people.
func explain(err error) error {
	var no *refusal
	if !errors.As(err, &no) {
		return err
	}
	e := &fleet.Error{Code: fleet.CodeModel, Message: no.Error()}
	switch {
	case no.code != "":
		e.Code, e.Message = no.code, no.message
	case no.status == 401 || no.status == 403:
		e.Hint = "check the model key"
	case no.status == 404:
		e.Hint = "check the model's name and the base URL"
	case no.status == 429 || no.status == 529 || no.status == 503:
		e.Code, e.Hint = fleet.CodeModelBusy, "try again later, or lower the parallelism"
	case no.status/100 == 4:
		e.Code = fleet.CodeInvalid
	case no.status/100 == 3:
		e.Hint = "the endpoint redirects, which is not followed: write its final base URL"
	}
	return e
}

// badRequest returns what a provider says is wrong with a request, in lower case, when it says so.
func badRequest(err error) (string, bool) {
	var no *refusal
	if !errors.As(err, &no) || no.code != "" || no.status != 400 && no.status != 422 {
		return "", false
	}
	return strings.ToLower(no.message), true
}

// callInput makes what a model wrote as a tool's input valid JSON: itself, or the text as a string.
func callInput(text []byte) json.RawMessage {
	if text = bytes.TrimSpace(text); len(text) == 0 {
		return json.RawMessage("{}")
	}
	if json.Valid(text) {
		return json.RawMessage(text)
	}
	quoted, _ := json.Marshal(string(text)) // a string always marshals
	return quoted
}

// memo remembers something of each model.
type memo[T any] struct {
	mu sync.Mutex
	of map[string]T
}

func (m *memo[T]) get(model string) T {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.of[model]
}

func (m *memo[T]) set(model string, t T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of == nil {
		m.of = map[string]T{}
	}
	m.of[model] = t
}
