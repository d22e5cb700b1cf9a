package spec

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"gaggle/internal/fleet"
)

// waveKeys are the keys of a wave that is written as a mapping: its name, and one of the others.
const waveKeys = "name, where, owner, count, share"

// waves is the list of rollout.waves.
func waves() kind {
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			items, ok := r.items(n, f)
			if !ok {
				return
			}
			if len(items) == 0 || len(items) > 100 {
				r.add(start(n), "[100%] takes all targets in one wave", "%s holds 1 to 100 waves, not %d", f.path, len(items))
				return
			}
			var list []Wave
			var last Wave
			names := map[string]int{}
			for i, item := range items {
				w, at, ok := r.wave(item, fmt.Sprintf("%s[%d]", f.path, i))
				if !ok {
					continue
				}
				if first := names[w.Name]; first > 0 {
					r.add(start(item), "give it another name", "wave %s stands twice; first on line %d", quote(w.Name), first)
				} else if w.Name != "" {
					names[w.Name] = item.Line
				}
				switch {
				case last.Share == 10_000:
					r.add(start(item), "remove it, or lower the percentage before it", "nothing is left for a wave after 100%%")
				case w.Share > 0 && w.Share <= last.Share:
					r.add(start(at), "percentages count all targets from the first wave on, so each is larger than the one before: [10%, 50%, 100%]",
						"%s takes nothing: %s are reached before it", w, last)
				default:
					list = append(list, w)
				}
				if w.Share > 0 {
					last = w
				}
			}
			*f.into.(*[]Wave) = list
		},
		schema: func(*field) map[string]any {
			count := map[string]any{"type": "integer", "minimum": 1}
			percentage := map[string]any{"type": "string", "pattern": `^[0-9]{1,3}(\.[0-9]{1,2})?%$`}
			var one []any
			for _, key := range []string{"where", "owner", "count", "share"} {
				one = append(one, map[string]any{"required": []string{key}})
			}
			return map[string]any{"type": "array", "minItems": 1, "maxItems": 100, "items": map[string]any{"anyOf": []any{
				count,
				map[string]any{"type": "string", "pattern": `^([1-9][0-9]*|[0-9]{1,3}(\.[0-9]{1,2})?%)$`},
				map[string]any{"type": "object", "additionalProperties": false, "oneOf": one, "properties": map[string]any{
					"name":  map[string]any{"type": "string", "minLength": 1, "maxLength": 60, "description": "What people call the wave."},
					"where": map[string]any{"type": "string", "minLength": 1, "description": "A CEL expression over component and repository, as in select.where: the wave takes all targets for which it is true."},
					"owner": map[string]any{"type": "string", "minLength": 1, "description": "An entity reference such as group:platform: the wave takes all targets of this owner."},
					"count": mapWith(count, "description", "How many targets the wave takes."),
					"share": mapWith(percentage, "description", "A cumulative percentage such as 10%."),
				}},
			}}}
		},
	}
}

func mapWith(m map[string]any, key string, value any) map[string]any {
	with := map[string]any{key: value}
	for k, v := range m {
		with[k] = v
	}
	return with
}

// wave reads one entry, and returns with it the place of what it says.
func (r *reader) wave(n *yaml.Node, path string) (w Wave, at *yaml.Node, ok bool) {
	if n.Kind == yaml.MappingNode {
		return r.longWave(n, path)
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Tag == "!!bool" {
		r.add(start(n), "write a number of targets such as 5, a percentage such as 10%, or {where: EXPRESSION, name: NAME}",
			"a wave is a number, a percentage or a mapping, not %s", describe(n))
		return w, n, false
	}
	w, err := ParseWave(n.Value)
	if err != nil {
		r.add(start(n), fleet.HintOf(err), "%s: %v", path, err)
	}
	return w, n, err == nil
}

// longWave reads an entry that is a mapping.
func (r *reader) longWave(n *yaml.Node, path string) (w Wave, at *yaml.Node, ok bool) {
	before := len(r.list)
	seen := map[string]*yaml.Node{}
	at = n
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Tag == "!!merge" || value.Kind == yaml.AliasNode:
			return w, at, false // reported with the anchors
		case seen[key.Value] != nil:
			r.add(start(key), "remove one of the two", "%s.%s stands twice; first on line %d", path, clip(key.Value), seen[key.Value].Line)
			continue
		}
		seen[key.Value] = key
		f := &field{path: path + "." + key.Value}
		switch key.Value {
		case "name":
			f.check = func(s string) *flaw { return oneLine(s, 60) }
			w.Name, _ = r.text(value, f)
			continue
		case "where":
			if w.Where, ok = r.text(value, f); ok {
				if _, err := CompileWhere(w.Where); err != nil {
					r.where(value, f.path, err)
				}
			}
		case "owner":
			f.check = checkRef
			if w.Owner, ok = r.text(value, f); ok {
				w.Owner = normalRef(w.Owner, "group")
			}
		case "count":
			f.min, f.max, f.into = 1, 1<<31-1, &w.Count
			integer().read(r, value, f)
		case "share":
			read, err := ParseWave(value.Value)
			switch {
			case value.Kind != yaml.ScalarNode || !strings.HasSuffix(value.Value, "%"):
				r.add(start(value), "write a percentage such as 10%", "%s is a percentage, not %s", f.path, describe(value))
			case err != nil:
				r.add(start(value), fleet.HintOf(err), "%s: %v", f.path, err)
			}
			w.Share = read.Share
		default:
			hint := didYouMean(key.Value, strings.Split(waveKeys, ", "))
			if hint == "" {
				hint = "known here: " + waveKeys
			}
			r.add(start(key), hint, "unknown key %q in %s", clip(key.Value), path)
			continue
		}
		if at != n {
			r.add(start(key), "make two waves of it, or join the conditions: where: 'a && b'", "%s has more than one of where, owner, count and share", path)
		}
		at = value
	}
	if at == n && len(r.list) == before {
		r.add(start(n), "give it one of where, owner, count and share", "%s does not say what it takes", path)
	}
	return w, at, len(r.list) == before
}
