package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// cloudPage sends one page, with at most as many as the host and the resource allow, and says where the next one is.
func cloudPage[T any](c *call, most int, list []T, show func(T) any) {
	q := c.r.URL.Query()
	size, page := 10, 1
	if n, err := strconv.Atoi(q.Get("pagelen")); err == nil {
		size = n
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil {
		page = n
	}
	if size > most {
		c.fail(http.StatusBadRequest, "Invalid pagelen")
		return
	}
	size = min(size, c.host.cfg.PageCap)
	from := min((page-1)*size, len(list))
	to := min(from+size, len(list))
	values := []any{}
	for _, x := range list[from:to] {
		values = append(values, show(x))
	}
	out := map[string]any{"pagelen": size, "page": page, "size": len(list), "values": values}
	if to < len(list) {
		q.Set("page", strconv.Itoa(page+1))
		out["next"] = c.url + c.r.URL.EscapedPath() + "?" + q.Encode()
	}
	bitbucketCloud{}.give(c, http.StatusOK, out)
}

// give sends what of a document the request names in its fields.
func (bitbucketCloud) give(c *call, status int, v any) {
	fields := c.r.URL.Query().Get("fields")
	if fields == "" {
		c.json(status, v)
		return
	}
	data, err := json.Marshal(v)
	var whole any
	if err != nil || json.Unmarshal(data, &whole) != nil {
		c.fail(http.StatusInternalServerError, "no JSON")
		return
	}
	c.json(status, pruned(whole, strings.Split(fields, ",")))
}

// pruned keeps the named paths.
func pruned(v any, paths []string) any {
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, x := range v {
			out = append(out, pruned(x, paths))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for name, x := range v {
			var below []string
			whole := false
			for _, p := range paths {
				whole = whole || p == name
				if rest, ok := strings.CutPrefix(p, name+"."); ok {
					below = append(below, rest)
				}
			}
			if whole {
				out[name] = x
			} else if len(below) > 0 {
				out[name] = pruned(x, below)
			}
		}
		return out
	}
	return v
}

var errReviewer = errors.New("reviewer")

func reviewersOf(list []struct{ UUID string }) ([]string, error) {
	var names []string
	for _, u := range list {
		name := strings.Trim(u.UUID, "{}")
		if name == "leaver" || name == "stranger" {
			return nil, fmt.Errorf("%w: %s is not a member of this workspace and cannot be added to this pull request", errReviewer, strings.ToUpper(name))
		}
		names = add(names, name)
	}
	return names, nil
}
