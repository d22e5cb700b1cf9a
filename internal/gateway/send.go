package gateway

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/llm/wire"
)

var (
	errSlow = errors.New("the provider did not begin to answer in time")
	errIdle = errors.New("the provider stopped in the middle of its answer")
	errGone = errors.New("the client went away")
	errLong = errors.New("the answer is too long")
	errPack = errors.New("the answer is packed in a way that was not asked for")
)

const (
	maxError = 1 << 20 // bytes of an error's body that are passed on
	maxList  = 8 << 20 // bytes of a reply that costs nothing
)

// send sends the request on, passes the reply through, and settles.
func (x *exchange) send(w http.ResponseWriter, r *http.Request) {
	times := x.s.gateway.config.Timeouts
	ctx, cancel := context.WithCancelCause(x.s.ctx)
	defer cancel(nil)
	var sent, begun atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(i httptrace.WroteRequestInfo) { sent.Store(i.Err == nil) }})
	watch := time.AfterFunc(times.FirstByte, func() {
		if begun.Load() {
			cancel(errIdle)
		} else {
			cancel(errSlow)
		}
	})
	defer watch.Stop()
	// A client that goes away does not end the request at once: how much it cost is told at its end.
	stop := context.AfterFunc(r.Context(), func() { time.AfterFunc(times.Drain, func() { cancel(errGone) }) })
	defer stop()

	res, err := x.trip(ctx, r)
	if err == nil && x.plain != nil && (res.StatusCode == http.StatusBadRequest || res.StatusCode == http.StatusUnprocessableEntity) {
		res, err = x.withoutOptions(ctx, r, res)
	}
	if err != nil {
		watch.Stop()
		x.lost(ctx, w, sent.Load())
		return
	}
	defer res.Body.Close()
	x.first = x.s.gateway.config.Clock()
	begun.Store(true)
	watch.Reset(times.Idle)
	x.entry.Status = res.StatusCode
	if res.StatusCode/100 != 2 {
		x.declined(w, res)
		return
	}
	if !x.route.paid {
		x.copyPlain(w, res)
		return
	}
	whole := x.relay(ctx, w, res, times.Idle, func() { watch.Reset(times.Idle) })
	if !whole {
		panic(http.ErrAbortHandler) // the client must not take a broken reply for a whole one
	}
}

// withoutOptions looks at a refusal of what was asked for in the client's name, and asks again without it when that is
// what the endpoint does not take.
func (x *exchange) withoutOptions(ctx context.Context, r *http.Request, res *http.Response) (*http.Response, error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxError))
	res.Body.Close()
	if err != nil || !bytes.Contains(body, []byte("stream_options")) {
		res.Body = io.NopCloser(bytes.NewReader(body))
		return res, nil
	}
	x.up.noOptions.Store(true)
	x.body, x.plain = x.plain, nil
	return x.trip(ctx, r)
}

// trip makes the one request to the provider.
func (x *exchange) trip(ctx context.Context, r *http.Request) (*http.Response, error) {
	var body io.Reader
	if x.route.asks {
		body = bytes.NewReader(x.body)
	}
	req, err := http.NewRequestWithContext(ctx, x.route.method, x.up.target(x.route, r), body)
	if err != nil {
		return nil, err
	}
	req.Header = pick(r.Header, requestHeaders, "X-Stainless-")
	req.Header.Set("Accept-Encoding", "identity")
	if x.route.asks {
		req.Header.Set("Content-Type", "application/json")
	}
	x.up.authorize(req.Header)
	return x.s.gateway.config.Transport.RoundTrip(req)
}

// lost answers for a provider that did not. When the request had been sent, the reply may have been paid for.
func (x *exchange) lost(ctx context.Context, w http.ResponseWriter, sent bool) {
	no := refuse(http.StatusBadGateway, "api_error", fleet.CodeModel, "the model's endpoint %s cannot be reached", x.up.name)
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errSlow):
		no = refuse(http.StatusGatewayTimeout, "timeout_error", fleet.CodeModelBusy, "the model's endpoint %s: %w", x.up.name, cause)
	case cause != nil:
		no = refuse(http.StatusServiceUnavailable, "api_error", fleet.CodeInterrupted, "the request was stopped")
	case sent:
		no = refuse(http.StatusBadGateway, "api_error", fleet.CodeModel, "the model's endpoint %s broke off without an answer", x.up.name)
	}
	x.entry.Status, x.entry.Error = no.status, no.err.Error()
	if x.route.paid {
		x.s.setTrouble(x.s.gateway.config.Redactor.Error(no.err))
	}
	if sent && x.route.paid {
		x.settle(wire.Count{})
	} else {
		x.free()
	}
	x.s.answer(w, x.route.format, no)
}

// declined passes an error of the provider on. It costs nothing.
func (x *exchange) declined(w http.ResponseWriter, res *http.Response) {
	body, _ := io.ReadAll(io.LimitReader(plain(res), maxError)) // what came of it is passed on
	body = x.s.gateway.keys.Known(body)
	code := fleet.CodeModel
	if res.StatusCode == http.StatusTooManyRequests || res.StatusCode == 529 || res.StatusCode == http.StatusServiceUnavailable {
		code = fleet.CodeModelBusy
	}
	err := fleet.Errorf(code, "the model's endpoint %s answered %d: %.300s", x.up.name, res.StatusCode, strings.TrimSpace(string(body)))
	x.entry.Error = err.Error()
	if x.route.paid {
		x.s.setTrouble(x.s.gateway.config.Redactor.Error(err))
	}
	x.free()
	x.head(w, res)
	w.Write(body) //nolint:errcheck // the client is gone
}

// copyPlain passes on a reply that costs nothing. A list of models is cut down to those that may be asked for.
func (x *exchange) copyPlain(w http.ResponseWriter, res *http.Response) {
	x.free()
	body, err := io.ReadAll(io.LimitReader(plain(res), maxList+1))
	if err == nil && strings.HasSuffix(x.route.path, "/models") && len(x.s.config.Models) > 0 {
		body, err = wire.KeepModels(body, x.s.config.Models)
	}
	if err != nil || len(body) > maxList {
		x.s.answer(w, x.route.format, refuse(http.StatusBadGateway, "api_error", fleet.CodeModel, "the model's endpoint %s gave no usable answer", x.up.name))
		return
	}
	x.head(w, res)
	w.Write(x.s.gateway.keys.Known(body)) //nolint:errcheck // the client is gone
}

// head passes status and headers on.
func (x *exchange) head(w http.ResponseWriter, res *http.Response) {
	for name, values := range pick(res.Header, replyHeaders, "Anthropic-Ratelimit-", "X-Ratelimit-") {
		w.Header()[name] = []string{string(x.s.gateway.keys.Known([]byte(values[0])))}
	}
	w.WriteHeader(res.StatusCode)
}

// plain returns the body unpacked; reading it fails when it is packed in a way that cannot be read.
func plain(res *http.Response) io.Reader {
	switch packed := strings.ToLower(res.Header.Get("Content-Encoding")); packed {
	case "", "identity":
		return res.Body
	case "gzip":
		if z, err := gzip.NewReader(res.Body); err == nil {
			return z
		}
	}
	return failing{}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errPack }

// relay passes the reply through as it comes, counts it and settles. It reports whether the client has all of it.
func (x *exchange) relay(ctx context.Context, w http.ResponseWriter, res *http.Response, idle time.Duration, alive func()) bool {
	kind := res.Header.Get("Content-Type")
	stream := x.streams(kind)
	counter := wire.NewCounter(x.route.format, stream)
	out := x.outlet(w, kind)
	var whole copied
	x.head(w, res)
	flush := http.NewResponseController(w)
	flush.Flush() //nolint:errcheck // the client is gone

	from, gone := plain(res), false
	buf := make([]byte, 32<<10)
	var err error
	var size int64
	for err == nil {
		var n int
		n, err = from.Read(buf)
		alive()
		if size += int64(n); size > x.s.config.MaxReply {
			err = errLong
			break
		}
		if n > 0 && !gone {
			flush.SetWriteDeadline(time.Now().Add(idle)) //nolint:errcheck // a client that does not read is dropped as well as can be
			_, failed := out.Write(buf[:n])
			if failed == nil {
				failed = flush.Flush()
			}
			gone = failed != nil
		}
		counter.Write(buf[:n]) //nolint:errcheck // never fails
		if x.key != "" {
			whole.write(buf[:n])
		}
	}
	if !gone && out.Close() != nil {
		gone = true
	}
	flush.SetWriteDeadline(time.Time{}) //nolint:errcheck // the connection is used again
	count := counter.Count()
	x.entry.Reply = &count.Reply
	trouble := x.ending(ctx, count, err, stream)
	if trouble != nil {
		trouble = x.s.gateway.config.Redactor.Error(trouble)
		x.entry.Error = trouble.Error()
	}
	x.s.setTrouble(trouble)
	x.settle(count)
	if trouble == nil && !whole.full {
		x.keep(kind, whole.buf.Bytes(), count.Reply)
	}
	return !gone && errors.Is(err, io.EOF)
}

// ending says what was wrong with how a reply ended; nil when nothing was.
func (x *exchange) ending(ctx context.Context, count wire.Count, err error, stream bool) error {
	cause := context.Cause(ctx)
	switch {
	case count.Failure != "":
		return fleet.Errorf(fleet.CodeModel, "the model's endpoint %s ended its answer with an error: %.300s", x.up.name, count.Failure)
	case errors.Is(err, io.EOF) && (count.Complete || !stream):
		return nil
	case errors.Is(err, io.EOF):
		return fleet.Errorf(fleet.CodeModel, "the model's endpoint %s ended its answer in the middle", x.up.name)
	case errors.Is(cause, errIdle):
		return fleet.Errorf(fleet.CodeModel, "the model's endpoint %s: %w", x.up.name, cause)
	case cause != nil:
		return fleet.Errorf(fleet.CodeInterrupted, "a request to the model was stopped: %w", cause)
	}
	return fleet.Errorf(fleet.CodeModel, "the model's endpoint %s: %w", x.up.name, err)
}
