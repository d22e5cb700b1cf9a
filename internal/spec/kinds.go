package spec

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"gaggle/internal/fleet"
)

// maxItems bounds a list, maxText a text: generous for people, finite for machines.
const (
	maxItems = 10_000
	maxText  = 200_000
)

// group is a mapping that has a description of its own or must be there; its keys are rows of their own.
func group() kind { return kind{} }

// text is a string; f.oneOf and f.check narrow it.
func text() kind {
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			if s, ok := r.text(n, f); ok {
				*f.into.(*string) = s
			}
		},
		schema: textSchema,
	}
}

func textSchema(f *field) map[string]any {
	s := map[string]any{"type": "string", "minLength": 1}
	if len(f.oneOf) > 0 {
		s = map[string]any{"enum": f.oneOf}
	}
	if f.pattern != "" {
		s["pattern"] = f.pattern
	}
	return s
}

// texts is a list of strings, each at most once.
func texts() kind {
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			items, ok := r.items(n, f)
			if !ok {
				return
			}
			var list []string // nil when empty, as after a round trip through JSON
			seen := map[string]int{}
			for _, item := range items {
				s, ok := r.text(item, f)
				if !ok {
					continue
				}
				if first, twice := seen[s]; twice {
					r.add(start(item), "remove one of the two", "%s stands twice in %s; first on line %d", quote(s), f.path, first)
					continue
				}
				seen[s] = item.Line
				list = append(list, s)
			}
			if len(items) < int(f.min) {
				r.add(start(n), "leave it out for the default", "%s is empty", f.path)
			}
			*f.into.(*[]string) = list
		},
		schema: func(f *field) map[string]any {
			return map[string]any{"type": "array", "items": textSchema(f), "uniqueItems": true, "minItems": f.min, "maxItems": maxItems}
		},
	}
}

// plainMap is a mapping from names to texts; numbers and booleans are taken as they are written.
func plainMap() kind {
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			if n.Kind != yaml.MappingNode {
				r.add(start(n), "write NAME: value below it", "%s is a mapping, not %s", f.path, describe(n))
				return
			}
			m, seen := map[string]string{}, map[string]int{}
			for i := 0; i+1 < len(n.Content); i += 2 {
				key, value := n.Content[i], n.Content[i+1]
				if key.Kind != yaml.ScalarNode || value.Kind != yaml.ScalarNode || value.Tag == "!!null" {
					r.add(start(value), "write NAME: value", "%s holds plain values, not %s", f.path, describe(value))
					continue
				}
				if first, twice := seen[key.Value]; twice {
					r.add(start(key), "remove one of the two", "%s.%s stands twice; first on line %d", f.path, clip(key.Value), first)
					continue
				}
				seen[key.Value] = key.Line
				if bad := f.check(key.Value); bad != nil {
					r.flaw(key, bad, f.path+"."+clip(key.Value))
					continue
				}
				if at := strings.IndexByte(value.Value, 0); at >= 0 || len(value.Value) > 32<<10 {
					r.add(start(value), "keep it under 32 KiB, without NUL", "%s.%s cannot be an environment variable", f.path, key.Value)
					continue
				}
				m[key.Value] = value.Value
			}
			if len(m) > 0 {
				*f.into.(*map[string]string) = m
			}
		},
		schema: func(f *field) map[string]any {
			return map[string]any{"type": "object", "propertyNames": map[string]any{"pattern": f.pattern},
				"additionalProperties": map[string]any{"type": []string{"string", "number", "boolean"}}}
		},
	}
}

func boolean() kind {
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
				hint := "write true or false"
				if n.Kind == yaml.ScalarNode {
					switch strings.ToLower(n.Value) {
					case "yes", "on", "y", "true":
						hint = "write true"
					case "no", "off", "n", "false":
						hint = "write false"
					}
				}
				r.add(start(n), hint, "%s is true or false, not %s", f.path, describe(n))
				return
			}
			*f.into.(*bool) = strings.EqualFold(n.Value, "true")
		},
		schema: func(*field) map[string]any { return map[string]any{"type": "boolean"} },
	}
}

// integer is a whole number between f.min and f.max.
func integer() kind {
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			v, err := strconv.ParseInt(n.Value, 10, 64)
			if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil {
				r.add(start(n), fmt.Sprintf("write a number from %.0f to %.0f, without quotes", f.min, f.max), "%s is a whole number, not %s", f.path, describe(n))
				return
			}
			if r.bounded(n, f, float64(v)) {
				*f.into.(*int) = int(v)
			}
		},
		schema: func(f *field) map[string]any {
			return map[string]any{"type": "integer", "minimum": f.min, "maximum": f.max}
		},
	}
}

// minutes is a number of minutes, read as a duration.
func minutes() kind {
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			v, ok := number(n)
			if !ok {
				r.add(start(n), "write a number such as 20", "%s is a number of minutes, not %s", f.path, describe(n))
				return
			}
			if r.bounded(n, f, v) {
				*f.into.(*time.Duration) = time.Duration(v * float64(time.Minute)).Round(time.Millisecond)
			}
		},
		schema: func(f *field) map[string]any {
			return map[string]any{"type": "number", "minimum": f.min, "maximum": f.max}
		},
	}
}

// duration is a length of time with its unit; f.min and f.max are seconds.
func duration() kind {
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			d, err := time.ParseDuration(strings.ReplaceAll(n.Value, " ", ""))
			if n.Kind != yaml.ScalarNode || n.Tag != "!!str" || err != nil {
				r.add(start(n), "write a number with its unit, such as 90s, 10m or 1h30m", "%s is a length of time, not %s", f.path, describe(n))
				return
			}
			if d < seconds(f.min) || d > seconds(f.max) {
				r.add(start(n), fmt.Sprintf("between %v and %v", seconds(f.min), seconds(f.max)), "%s cannot be %s", f.path, n.Value)
				return
			}
			*f.into.(*time.Duration) = d
		},
		schema: func(*field) map[string]any {
			return map[string]any{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ms|s|m|h) ?)+$`}
		},
	}
}

func seconds(v float64) time.Duration { return time.Duration(v * float64(time.Second)) }

// money is an amount of US dollars, more than nothing, as a number or as text.
func money() kind {
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			const hint = `write US dollars such as 0.80 or "$12.50"`
			if n.Kind != yaml.ScalarNode || n.Tag == "!!bool" {
				r.add(start(n), hint, "%s is an amount of money, not %s", f.path, describe(n))
				return
			}
			if strings.HasPrefix(strings.TrimPrefix(n.Value, "$"), "-") {
				r.add(start(n), hint, "%s must be more than nothing", f.path)
				return
			}
			m, err := fleet.ParseMoney(n.Value)
			if err != nil {
				r.add(start(n), hint, "%s: %s", f.path, clip(err.Error()))
				return
			}
			if m == 0 {
				r.add(start(n), hint+"; a change that may cost nothing is a script", "%s must be more than nothing", f.path)
				return
			}
			*f.into.(*fleet.Money) = m
		},
		schema: func(*field) map[string]any {
			return map[string]any{"anyOf": []any{
				map[string]any{"type": "number", "exclusiveMinimum": 0},
				map[string]any{"type": "string", "pattern": `^\$?([0-9]+(\.[0-9]{1,6})?|\.[0-9]{1,6})$`},
			}}
		},
	}
}

// fraction is a share between nothing and all, as 0.9 or as 90%.
func fraction() kind {
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			v, ok := number(n)
			if percent, found := strings.CutSuffix(n.Value, "%"); n.Kind == yaml.ScalarNode && found {
				p, err := strconv.ParseFloat(percent, 64)
				v, ok = p/100, err == nil
			}
			if !ok || v < 0 || v > 1 || math.IsNaN(v) {
				r.add(start(n), "write a share such as 0.9 or 90%", "%s is a share between 0 and 1, not %s", f.path, describe(n))
				return
			}
			*f.into.(*float64) = v
		},
		schema: func(*field) map[string]any {
			return map[string]any{"anyOf": []any{
				map[string]any{"type": "number", "minimum": 0, "maximum": 1},
				map[string]any{"type": "string", "pattern": `^(100(\.0+)?|[0-9]{1,2}(\.[0-9]+)?)%$`},
			}}
		},
	}
}

// size is a number of bytes with its unit; f.min and f.max are MiB.
func size() kind {
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			hint := fmt.Sprintf("write a size from %vMiB to %vGiB, such as 2GiB", f.min, f.max/1024)
			bytes, ok := parseSize(n.Value)
			if n.Kind != yaml.ScalarNode || n.Tag != "!!str" || !ok {
				r.add(start(n), hint, "%s is a size with its unit, not %s", f.path, describe(n))
				return
			}
			if bytes < f.min*(1<<20) || bytes > f.max*(1<<20) {
				r.add(start(n), hint, "%s cannot be %s", f.path, clip(n.Value))
				return
			}
			*f.into.(*int64) = int64(bytes)
		},
		schema: func(*field) map[string]any {
			return map[string]any{"type": "string", "pattern": `^[0-9]+(\.[0-9]+)? ?(MB|MiB|GB|GiB)$`}
		},
	}
}

func parseSize(text string) (float64, bool) {
	for unit, factor := range map[string]float64{"MB": 1e6, "MiB": 1 << 20, "GB": 1e9, "GiB": 1 << 30} {
		if digits, ok := strings.CutSuffix(text, unit); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
			return v * factor, err == nil && v >= 0 && !math.IsInf(v, 0)
		}
	}
	return 0, false
}

// text reads one string of f, or reports why not.
func (r *reader) text(n *yaml.Node, f *field) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		r.add(start(n), "", "%s is text, not %s", f.path, describe(n))
		return "", false
	}
	if n.Tag != "!!str" {
		r.add(start(n), `put it in quotes: "`+clip(n.Value)+`"`, "%s is text, not %s", f.path, describe(n))
		return "", false
	}
	if strings.TrimSpace(n.Value) == "" {
		r.add(start(n), "give it a value, or leave it out", "%s is empty", f.path)
		return "", false
	}
	if len(n.Value) > maxText {
		r.add(start(n), "", "%s is longer than %d bytes", f.path, maxText)
		return "", false
	}
	if len(f.oneOf) > 0 {
		for _, known := range f.oneOf {
			if n.Value == known {
				return n.Value, true
			}
		}
		hint := didYouMean(n.Value, f.oneOf)
		if hint == "" {
			hint = "one of " + strings.Join(f.oneOf, ", ")
		}
		r.add(start(n), hint, "%s cannot be %s", f.path, quote(n.Value))
		return "", false
	}
	if f.check != nil {
		if bad := f.check(n.Value); bad != nil {
			r.flaw(n, bad, f.path)
			return "", false
		}
	}
	return n.Value, true
}

// items returns the entries of a list, or reports why not.
func (r *reader) items(n *yaml.Node, f *field) ([]*yaml.Node, bool) {
	if n.Kind != yaml.SequenceNode {
		hint := "write a list, one entry a line after a dash"
		if n.Kind == yaml.ScalarNode && len(n.Value) < 40 && !strings.Contains(n.Value, "\n") {
			hint = "write a list: ['" + n.Value + "']"
		}
		r.add(start(n), hint, "%s is a list, not %s", f.path, describe(n))
		return nil, false
	}
	if len(n.Content) > maxItems {
		r.add(start(n), "select by where or contains instead", "%s holds more than %d entries", f.path, maxItems)
		return nil, false
	}
	return n.Content, true
}

func (r *reader) bounded(n *yaml.Node, f *field, v float64) bool {
	if v < f.min || v > f.max {
		bound := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
		r.add(start(n), "from "+bound(f.min)+" to "+bound(f.max), "%s cannot be %s", f.path, clip(n.Value))
		return false
	}
	return true
}

func (r *reader) flaw(n *yaml.Node, bad *flaw, path string) {
	r.add(r.src.within(n, bad.offset), bad.hint, "%s: %s", path, bad.why)
}

func number(n *yaml.Node) (float64, bool) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" && n.Tag != "!!float" {
		return 0, false
	}
	v, err := strconv.ParseFloat(n.Value, 64)
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}
