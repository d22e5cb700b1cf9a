package gateway

import (
	"net/http"
	"strings"
)

// requestHeaders are those that a client may send on to a provider. Keys, cookies, organisations and what proxies add
// are not among them.
var requestHeaders = map[string]bool{
	"Accept": true, "Content-Type": true, "User-Agent": true,
	"Anthropic-Version": true, "Anthropic-Beta": true, "Openai-Beta": true,
	"X-App": true, "X-Client-Request-Id": true, "Session_id": true, "Originator": true,
}

// replyHeaders are those of a provider that a client may see.
var replyHeaders = map[string]bool{
	"Content-Type": true, "Cache-Control": true, "Retry-After": true, "Retry-After-Ms": true,
	"Request-Id": true, "X-Request-Id": true, "X-Should-Retry": true,
	"Openai-Model": true, "Openai-Processing-Ms": true, "Openai-Version": true,
}

// pick copies the headers that are allowed, or have an allowed beginning, and are of a decent size.
func pick(from http.Header, allowed map[string]bool, prefixes ...string) http.Header {
	to := http.Header{}
	for name, values := range from {
		ok := allowed[name]
		for _, p := range prefixes {
			ok = ok || strings.HasPrefix(name, p)
		}
		if !ok || len(values) == 0 || len(values[0]) > 4096 {
			continue
		}
		to[name] = values[:1]
	}
	return to
}

// authorize adds the upstream's key.
func (u *upstream) authorize(h http.Header) {
	switch {
	case u.Key == "":
	case u.Kind == Anthropic && !strings.HasPrefix(u.Key, "sk-ant-oat"):
		h.Set("X-Api-Key", u.Key)
	default:
		h.Set("Authorization", "Bearer "+u.Key)
	}
	for name, value := range u.Header {
		h.Set(name, value)
	}
	if u.Kind == Anthropic && h.Get("Anthropic-Version") == "" {
		h.Set("Anthropic-Version", "2023-06-01")
	}
}
