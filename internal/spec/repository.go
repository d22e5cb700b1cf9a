package spec

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// RepoFile is the name of the file at a repository's root by which its owners have their say.
const RepoFile = ".gaggle.yaml"

// RepoConfig is a repository's .gaggle.yaml: what its owners ask of the campaigns that concern it, for the whole
// repository and for single components in it. It comes from a repository, so nothing in it is trusted: it can refuse
// campaigns and add verifiers, never loosen anything.
type RepoConfig struct {
	Settings
	Components map[string]Settings `json:"components,omitempty"` // by path below the root, cleaned
}

// Settings is what is asked for one component, or for all.
type Settings struct {
	OptOut    string     `json:"optOut,omitempty"`   // why no campaign may come; "" when they may
	Campaigns Campaigns  `json:"campaigns,omitzero"` // which campaigns may not come
	Verify    RepoVerify `json:"verify,omitzero"`
}

// Campaigns names campaigns that are not wanted.
type Campaigns struct {
	Exclude []string `json:"exclude,omitempty"`
}

// RepoVerify is how the owners want a change to be verified, besides what a campaign asks for.
type RepoVerify struct {
	Manual bool     `json:"manual,omitempty"` // auto: false was written: only Run decides
	Run    []string `json:"run,omitempty"`
}

// Refuses says why a campaign may not come, or "" when it may.
func (s Settings) Refuses(campaign string) string {
	if s.OptOut != "" {
		return s.OptOut
	}
	if slices.Contains(s.Campaigns.Exclude, campaign) {
		return RepoFile + " excludes the campaign " + campaign
	}
	return ""
}

// For returns what is asked for the component at a path: what stands for the whole repository, then what stands
// for each folder down to the component's own. Refusals add up; the innermost verify replaces those around it.
func (c RepoConfig) For(componentPath string) Settings {
	s := c.Settings
	folder := path.Clean(componentPath)
	for i := 0; i <= len(folder); i++ {
		if i < len(folder) && folder[i] != '/' {
			continue
		}
		own := c.Components[folder[:i]]
		if s.OptOut == "" {
			s.OptOut = own.OptOut
		}
		s.Campaigns.Exclude = slices.Concat(s.Campaigns.Exclude, own.Campaigns.Exclude)
		if own.Verify.Manual || len(own.Verify.Run) > 0 {
			s.Verify = own.Verify
		}
	}
	return s
}

// repositoryFields is the table of a .gaggle.yaml.
func repositoryFields(c *RepoConfig, h *header) []field {
	fields := append(headerFields(h, "Repository", "The kind of file.", false), settingsFields(&c.Settings)...)
	return append(fields, field{path: "components", kind: perName("a component's path", path.Clean, settingsFields), into: &c.Components, check: checkFolder, pattern: pathPattern,
		doc: "Settings of single components, or of folders of them, by their path in the repository."})
}

func settingsFields(s *Settings) []field {
	return []field{
		{path: "optOut", kind: reason(), into: &s.OptOut, doc: "true, or the reason in words: no campaign may change anything here. Defaults to false."},
		{path: "campaigns", kind: group(), doc: "Which campaigns may come."},
		{path: "campaigns.exclude", kind: texts(), into: &s.Campaigns.Exclude, check: checkName, pattern: namePattern, doc: "Names of campaigns that may not."},
		{path: "verify", kind: group(), doc: "How a change is verified here, besides what a campaign asks for."},
		{path: "verify.auto", kind: inverse(), into: &s.Verify.Manual, def: "true", doc: "Whether verifiers switch on by what the component contains."},
		{path: "verify.run", kind: texts(), into: &s.Verify.Run, check: checkCommand, doc: "Commands that must succeed, run by sh in the component's folder."},
	}
}

// ParseRepository reads a .gaggle.yaml; file is what errors call it. An empty one asks for nothing. The error, if any, is an *Errors.
//
// A file that cannot be read should keep campaigns away, like an opt-out: whoever wrote it wanted something.
func ParseRepository(file string, data []byte) (RepoConfig, error) {
	r := &reader{problems: problems{file: file}}
	root, src := document(&r.problems, data)
	if root == nil {
		return RepoConfig{}, r.err()
	}
	r.src = src
	var c RepoConfig
	r.read(root, repositoryFields(&c, &header{}))
	if err := r.err(); err != nil {
		return RepoConfig{}, err
	}
	return c, nil
}

// checkFolder accepts a component's path.
func checkFolder(s string) *flaw {
	if bad := checkRelative(s, "a component's path"); bad != nil {
		return bad
	}
	if strings.ContainsAny(s, `*?[{\`) {
		return &flaw{strings.IndexAny(s, `*?[{\`), "a component's path is not a glob", "write the path as gaggle fleet list shows it"}
	}
	return nil
}

// reason is true, false or a text.
func reason() kind {
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			into := f.into.(*string)
			switch {
			case n.Kind == yaml.ScalarNode && n.Tag == "!!bool" && strings.EqualFold(n.Value, "true"):
				*into = RepoFile + " opts out"
			case n.Kind == yaml.ScalarNode && n.Tag == "!!bool":
				*into = ""
			default:
				if s, ok := r.text(n, f); ok {
					*into = clip(strings.Join(strings.Fields(s), " "))
				}
			}
		},
		schema: func(*field) map[string]any { return map[string]any{"type": []string{"boolean", "string"}} },
	}
}

// inverse is a boolean that is kept the other way round, so that its zero value is the default.
func inverse() kind {
	plain := boolean()
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			value := !*f.into.(*bool)
			plain.read(r, n, &field{path: f.path, into: &value})
			*f.into.(*bool) = !value
		},
		schema: plain.schema,
	}
}

// perName is a mapping from names to tables of keys: noun is what such a name is called in messages, normal how it is kept.
func perName[T any](noun string, normal func(string) string, fields func(*T) []field) kind {
	return kind{
		read: func(r *reader, n *yaml.Node, f *field) {
			if n.Kind != yaml.MappingNode {
				r.add(start(n), "write "+noun+" and a colon below it, and the settings below that", "%s is a mapping, not %s", f.path, describe(n))
				return
			}
			all := map[string]T{}
			for i := 0; i+1 < len(n.Content); i += 2 {
				key, value := n.Content[i], n.Content[i+1]
				if key.Kind != yaml.ScalarNode {
					r.add(start(key), "write "+noun+" and a colon", "%s is text, not %s", noun, describe(key))
					continue
				}
				if bad := f.check(key.Value); bad != nil {
					r.flaw(key, bad, f.path)
					continue
				}
				name := normal(key.Value)
				if _, twice := all[name]; twice {
					r.add(start(key), "remove one of the two", "%s stands twice in %s", clip(name), f.path)
					continue
				}
				var one T
				r.inside(value, fields(&one))
				all[name] = one
			}
			*f.into.(*map[string]T) = all
		},
		schema: func(f *field) map[string]any {
			return map[string]any{"type": "object", "propertyNames": map[string]any{"pattern": f.pattern},
				"additionalProperties": grow(fields(new(T))).schema()}
		},
	}
}

// inside reads a value by a table of its own.
func (r *reader) inside(n *yaml.Node, fields []field) {
	inner := &reader{problems: problems{file: r.file, shut: r.shut}, src: r.src}
	inner.read(n, fields)
	r.list = append(r.list, inner.list...)
}
