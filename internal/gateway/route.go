package gateway

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"gaggle/internal/llm/wire"
)

// route is one thing that a client may ask of an upstream.
type route struct {
	kind   Kind
	method string
	inside string      // path after the upstream's name
	path   string      // path after the upstream's base URL
	format wire.Format // of errors, and of the request when there is one
	paid   bool        // it asks a model, which costs
	asks   bool        // it has a body that names a model
	query  []string    // parameters that pass
}

// routes are all there is. Batches, files, stored replies and the rest are not: nothing meters them.
var routes = []route{
	{Anthropic, http.MethodPost, "/v1/messages", "/v1/messages", wire.Messages, true, true, []string{"beta"}},
	{Anthropic, http.MethodPost, "/v1/messages/count_tokens", "/v1/messages/count_tokens", wire.Messages, false, true, []string{"beta"}},
	{Anthropic, http.MethodGet, "/v1/models", "/v1/models", wire.Messages, false, false, []string{"limit", "after_id", "before_id"}},
	{OpenAI, http.MethodPost, "/v1/chat/completions", "/chat/completions", wire.Chat, true, true, nil},
	{OpenAI, http.MethodPost, "/v1/responses", "/responses", wire.Responses, true, true, nil},
	{OpenAI, http.MethodGet, "/v1/models", "/models", wire.Chat, false, false, nil},
}

var modelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@-]{0,99}$`)

// find returns the upstream and the route of a request, and whether there are such.
func (g *Gateway) find(r *http.Request) (*upstream, route, bool) {
	name, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	u := g.upstreams[name]
	if !ok || u == nil || r.URL.RawPath != "" {
		return u, route{}, false
	}
	rest = "/" + rest
	for _, known := range routes {
		if known.kind != u.Kind || known.method != r.Method {
			continue
		}
		if rest == known.inside {
			return u, known, true
		}
		if id, one := strings.CutPrefix(rest, known.inside+"/"); one && strings.HasSuffix(known.inside, "/models") && modelName.MatchString(id) {
			known.path += "/" + id
			return u, known, true
		}
	}
	return u, route{}, false
}

// format is how errors of an upstream look before the route is known.
func (u *upstream) format() wire.Format {
	if u != nil && u.Kind == Anthropic {
		return wire.Messages
	}
	return wire.Chat
}

// target is the URL to send a request to.
func (u *upstream) target(to route, r *http.Request) string {
	query := url.Values{}
	asked := r.URL.Query()
	for _, name := range to.query {
		if v := asked.Get(name); v != "" && len(v) <= 200 {
			query.Set(name, v)
		}
	}
	target := u.base.JoinPath(to.path)
	target.RawQuery = query.Encode()
	return target.String()
}
