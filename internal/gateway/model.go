package gateway

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/semaphore"

	"gaggle/internal/fleet"
	"gaggle/internal/llm"
	"gaggle/internal/llm/wire"
)

// defaultOutput is how much a reply may hold when neither the request nor the price table says.
const defaultOutput = 128_000

// sendDeadline is how long a client may take to send a request. It is on this machine.
const sendDeadline = 2 * time.Minute

// exchange is one request to a model and its reply.
type exchange struct {
	s     *Session
	up    *upstream
	route route
	body  []byte
	ask   wire.Ask
	price llm.Price

	input   int64  // the most tokens that the provider can read
	output  int64  // the most that it can write
	plain   []byte // the body as it came, when the count was asked for in the client's name
	started time.Time
	first   time.Time // when the reply began
	hold    Hold
	settled bool
	key     string // under which its reply is kept; "" when it is not
	entry   Entry
}

// model serves a request to a model.
func (s *Session) model(w http.ResponseWriter, r *http.Request) {
	up, to, ok := s.gateway.find(r)
	if !ok {
		s.answer(w, up.format(), refuse(http.StatusNotFound, "not_found_error", fleet.CodePolicy, "%s %.200q is not among what the gateway passes", r.Method, r.URL.Path))
		return
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-r.Context().Done():
		return
	}
	weight := s.config.MaxRequest
	if r.ContentLength >= 0 && r.Header.Get("Content-Encoding") == "" {
		weight = min(weight, r.ContentLength)
	}
	for _, memory := range []*semaphore.Weighted{s.memory, s.gateway.memory} {
		if memory.Acquire(r.Context(), weight) != nil {
			return
		}
		defer memory.Release(weight)
	}
	patience := http.NewResponseController(w)
	patience.SetReadDeadline(time.Now().Add(sendDeadline)) //nolint:errcheck // every connection of ours has deadlines

	x := &exchange{s: s, up: up, route: to, started: s.gateway.config.Clock()}
	x.entry = Entry{Kind: "model", Upstream: up.name, Path: to.path}
	no := x.prepare(r)
	patience.SetReadDeadline(time.Time{}) //nolint:errcheck // as above
	if no == nil && x.again(w, r) {
		return
	}
	if no == nil {
		no = x.reserve(r.Context())
	}
	if no != nil {
		x.refused(w, no)
		return
	}
	defer func() {
		if !x.settled {
			x.settle(wire.Count{}) // a defect of ours must not keep the money held back
		}
	}()
	x.send(w, r)
}

// refused answers a request that was not sent, or came to nothing.
func (x *exchange) refused(w http.ResponseWriter, no *refusal) {
	if x.route.paid {
		x.s.setTrouble(x.s.gateway.config.Redactor.Error(no.err))
	}
	x.entry.Status, x.entry.Error = no.status, no.err.Error()
	x.s.script.write(x.entry, x.body)
	x.s.answer(w, x.route.format, no)
}

// prepare reads the request and checks it against policy.
func (x *exchange) prepare(r *http.Request) *refusal {
	if !x.route.asks {
		return nil
	}
	var no *refusal
	if x.body, no = x.s.read(r); no != nil {
		return no
	}
	ask, err := wire.Inspect(x.route.format, x.body)
	x.ask, x.entry.Model = ask, ask.Model
	if err != nil {
		x.body = nil
		return refuse(http.StatusBadRequest, "invalid_request_error", fleet.CodeInvalid, "%w", err)
	}
	if models := x.s.config.Models; len(models) > 0 && !slices.Contains(models, ask.Model) {
		return refuse(http.StatusNotFound, "not_found_error", fleet.CodePolicy, "the model %.100q is not allowed here; %s is", ask.Model, strings.Join(models, ", "))
	}
	price, ok := x.s.gateway.config.Prices.Find(ask.Model)
	if !ok && !x.up.Free {
		no := refuse(http.StatusNotFound, "not_found_error", fleet.CodePolicy, "the model %.100q has no price, so its cost could not be held to the budget", ask.Model)
		no.err.Hint = "add it to the price file, or mark the endpoint as free"
		return no
	}
	if x.price = price; x.up.Free {
		x.price.Rates, x.price.Long = llm.Rates{}, nil
	}
	if len(ask.Hosted) > 0 {
		return refuse(http.StatusBadRequest, "invalid_request_error", fleet.CodePolicy, "the provider would run or fetch something outside the sandbox: %s", list(ask.Hosted))
	}
	if len(ask.Unpriced) > 0 && !x.up.Free {
		return refuse(http.StatusBadRequest, "invalid_request_error", fleet.CodePolicy, "the price table does not cover %s", list(ask.Unpriced))
	}
	if ask.Format == wire.Chat && ask.Stream && !ask.Usage && !x.up.noOptions.Load() {
		x.plain, x.body = x.body, wire.WithUsage(x.body)
	}
	x.bound()
	return nil
}

func list(words []string) string {
	words = slices.Compact(slices.Sorted(slices.Values(words)))
	if len(words) > 5 {
		words = append(words[:5:5], "…")
	}
	return strings.Join(words, ", ")
}

// bound works out the most tokens that the request can come to.
func (x *exchange) bound() {
	x.input = x.ask.Bytes + 1024 // what the provider adds to describe tools is beside what the request itself holds
	if context := x.price.Context; x.ask.Unbounded {
		x.input = max(context, 1_000_000)
		if context > 0 {
			x.input = context
		}
	} else if context > 0 {
		x.input = min(x.input, context)
	}
	x.output = x.ask.MaxOutput
	if most := x.price.MaxOutput; most > 0 && (x.output == 0 || x.output > most) {
		x.output = most
	}
	if x.output == 0 {
		x.output = defaultOutput
	}
	x.output *= x.ask.Choices
}

// reserve holds the money back.
func (x *exchange) reserve(ctx context.Context) *refusal {
	if !x.route.paid {
		return nil
	}
	x.s.mu.Lock()
	broken := x.s.broken
	x.s.mu.Unlock()
	if broken != nil {
		return refuse(http.StatusInternalServerError, "api_error", fleet.CodeInternal, "what was spent before could not be recorded: %w", broken)
	}
	hold, err := x.s.config.Meter.Before(ctx, Ask{Model: x.ask.Model, MaxOutput: x.output, Most: x.price.Most(x.input, x.output)})
	if err == nil {
		x.hold = hold
		return nil
	}
	var e *fleet.Error
	if !errors.As(err, &e) {
		e = fleet.Errorf(fleet.CodeInternal, "the budget could not be asked: %w", err)
	}
	switch {
	case e.Code != fleet.CodeBudget && e.Code != fleet.CodePolicy:
		return &refusal{http.StatusInternalServerError, "api_error", e}
	case x.route.format != wire.Messages && e.Code == fleet.CodeBudget:
		return &refusal{http.StatusBadRequest, "insufficient_quota", e}
	}
	return &refusal{http.StatusBadRequest, "invalid_request_error", e}
}

// read returns the body, unpacked and within the limit.
func (s *Session) read(r *http.Request) ([]byte, *refusal) {
	var from io.Reader = r.Body
	switch packed := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); packed {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(from)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "invalid_request_error", fleet.CodeInvalid, "the request is not the gzip that it says it is")
		}
		from = z
	case "zstd":
		z, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "invalid_request_error", fleet.CodeInvalid, "the request is not the zstd that it says it is")
		}
		defer z.Close()
		from = z
	default:
		return nil, refuse(http.StatusUnsupportedMediaType, "invalid_request_error", fleet.CodeInvalid, "the request is packed as %.40q, which the gateway does not read", packed)
	}
	body, err := io.ReadAll(io.LimitReader(from, s.config.MaxRequest+1))
	if int64(len(body)) > s.config.MaxRequest {
		return nil, refuse(http.StatusRequestEntityTooLarge, "request_too_large", fleet.CodeInvalid, "the request is longer than %d bytes", s.config.MaxRequest)
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid_request_error", fleet.CodeInvalid, "the request broke off")
	}
	return body, nil
}
