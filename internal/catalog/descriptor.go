package catalog

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"gaggle/internal/fleet"
)

const sourceLocation = "backstage.io/source-location"

// described is one entity as its document says it.
type described struct {
	component *fleet.Component // one of the two is set
	entity    *fleet.Entity
	at        place  // of its name
	source    *value // the annotation backstage.io/source-location; may be nil
}

func (d described) ref() string {
	if d.component != nil {
		return d.component.Ref
	}
	return d.entity.Ref
}

// target is one path or glob that a Location points to.
type target struct {
	text     string
	at       place
	optional bool // its absence is no problem
}

// Kinds of Backstage. Templates describe no software; Components and Locations are read for what they say.
var entityKinds = []string{"System", "API", "Resource", "Group", "User", "Domain"}

// Backstage's rules for names, in its own words.
var (
	nameRule      = regexp.MustCompile(`^[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$`)
	namespaceRule = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
)

const maxName = 63

// descriptor reads one file.
type descriptor struct {
	file     string
	problems *problems
	found    []described
	targets  []target
}

func (d *descriptor) read(data []byte) {
	docs := splitDocuments(data)
	for _, doc := range docs {
		if v := doc.parse(d.file, d.problems); v != nil {
			d.document(v)
		}
	}
	if len(docs) == 0 {
		d.problems.add(ProblemDescriptor, place{d.file, 1, 1}, "describe a component in it, or remove it", "the descriptor is empty")
	}
}

func (d *descriptor) at(v *value) place { return place{d.file, v.line, v.column} }

func (d *descriptor) bad(code string, v *value, hint, format string, args ...any) {
	d.problems.add(code, d.at(v), hint, format, args...)
}

func (d *descriptor) document(v *value) {
	if v.null() {
		return
	}
	if v.kind != mappingValue {
		d.bad(ProblemDescriptor, v, "an entity is a mapping with apiVersion, kind, metadata and spec", "the document is %s", v.kind)
		return
	}
	version := d.text(v, "apiVersion", "")
	if version == "" {
		if v.field("apiVersion") == nil {
			d.bad(ProblemDescriptor, v, "write apiVersion: backstage.io/v1alpha1", "the document has no apiVersion")
		}
		return
	}
	if !strings.HasPrefix(version, "backstage.io/") {
		return // somebody else's entity, which Backstage allows
	}
	kind := d.text(v, "kind", "")
	switch {
	case kind == "":
		if v.field("kind") == nil {
			d.bad(ProblemDescriptor, v, "write kind: Component", "the document has no kind")
		}
	case strings.EqualFold(kind, "Location"):
		d.location(v)
	case strings.EqualFold(kind, "Template"):
	case strings.EqualFold(kind, "Component"):
		d.component(v)
	default:
		i := slices.IndexFunc(entityKinds, func(k string) bool { return strings.EqualFold(k, kind) })
		if i < 0 {
			d.bad(ProblemDescriptor, v.field("kind"), "one of Component, "+strings.Join(entityKinds, ", ")+", Location, Template", "the kind %s is not known", quote(kind))
			return
		}
		d.entity(entityKinds[i], v)
	}
}

// identity reads metadata's name and namespace, without which nothing can be said of an entity.
func (d *descriptor) identity(v *value) (name, namespace string, at place, ok bool) {
	meta := v.field("metadata")
	if meta == nil {
		d.bad(ProblemDescriptor, v, "write metadata: with a name in it", "the entity has no metadata")
		return "", "", place{}, false
	}
	if meta.kind != mappingValue {
		d.bad(ProblemDescriptor, meta, "write metadata: with a name in it", "metadata is %s", meta.kind)
		return "", "", place{}, false
	}
	name, namespace = d.text(meta, "name", ""), d.text(meta, "namespace", "default")
	n := meta.field("name")
	switch {
	case n == nil:
		d.bad(ProblemDescriptor, meta, "write name: followed by letters, digits, -, _ or .", "metadata has no name")
		return "", "", place{}, false
	case name == "":
		return "", "", place{}, false
	case len(name) > maxName || !nameRule.MatchString(name):
		d.bad(ProblemDescriptor, n, "at most 63 letters, digits, -, _ and ., with a letter or digit at both ends", "%s is not a usable name", quote(name))
		return "", "", place{}, false
	}
	if lower := strings.ToLower(namespace); len(namespace) > maxName || !namespaceRule.MatchString(lower) {
		if f := meta.field("namespace"); f != nil && namespace != "" {
			d.bad(ProblemDescriptor, f, "at most 63 lower-case letters, digits and -", "%s is not a usable namespace", quote(namespace))
		}
		return "", "", place{}, false
	}
	return name, strings.ToLower(namespace), d.at(n), true
}

func (d *descriptor) component(v *value) {
	name, namespace, at, ok := d.identity(v)
	if !ok {
		return
	}
	meta, spec := v.field("metadata"), d.mapping(v, "spec")
	c := &fleet.Component{
		Ref: fleet.Ref("component", namespace, name), Kind: "Component", Namespace: namespace, Name: name,
		Title: d.text(meta, "title", ""), Description: d.text(meta, "description", ""),
		Tags: d.texts(meta, "tags"), Labels: d.textMap(meta, "labels"), Annotations: d.textMap(meta, "annotations"),
		Type: d.text(spec, "type", ""), Lifecycle: d.text(spec, "lifecycle", ""),
		Owner: d.ref(spec, "owner", "group", namespace), System: d.ref(spec, "system", "system", namespace),
		DependsOn: d.refs(spec, "dependsOn", "component", namespace),
		Provides:  d.refs(spec, "providesApis", "api", namespace), Consumes: d.refs(spec, "consumesApis", "api", namespace),
	}
	if owner := spec.field("owner"); owner == nil || owner.kind == scalarValue && owner.text == "" {
		from := cmp.Or(owner, spec, v)
		d.bad(ProblemField, from, "write owner: followed by the name of a group", "the component has no spec.owner; CODEOWNERS decides")
	}
	d.found = append(d.found, described{component: c, at: at, source: meta.field("annotations").field(sourceLocation)})
}

func (d *descriptor) entity(kind string, v *value) {
	name, namespace, at, ok := d.identity(v)
	if !ok {
		return
	}
	meta, spec := v.field("metadata"), d.mapping(v, "spec")
	e := &fleet.Entity{
		Ref: fleet.Ref(kind, namespace, name), Kind: kind, Title: d.text(meta, "title", ""),
		Owner: d.ref(spec, "owner", "group", namespace), Data: string(v.appendJSON(nil)),
	}
	if kind == "Group" || kind == "User" {
		profile := d.mapping(spec, "profile")
		e.Email = d.text(profile, "email", "")
		if e.Title == "" {
			e.Title = d.text(profile, "displayName", "")
		}
	}
	d.found = append(d.found, described{entity: e, at: at})
}

func (d *descriptor) location(v *value) {
	spec := d.mapping(v, "spec")
	if spec == nil {
		d.bad(ProblemLocation, v, "write spec: with targets in it", "the location has no spec")
		return
	}
	optional := d.text(spec, "presence", "") == "optional"
	var all []*value
	if t := spec.field("target"); t != nil {
		all = append(all, t)
	}
	if t := spec.field("targets"); t != nil && t.kind == sequenceValue {
		all = append(all, t.items...)
	} else if t != nil {
		d.bad(ProblemLocation, t, "write each target on a line of its own, after a dash", "targets is %s", t.kind)
	}
	for _, t := range all {
		if t.kind != scalarValue || t.null() || t.text == "" {
			d.bad(ProblemLocation, t, "a target is a path such as ./services/*/catalog-info.yaml", "the target is not a path")
			continue
		}
		d.targets = append(d.targets, target{t.text, d.at(t), optional})
	}
	if len(all) == 0 && spec.field("targets") == nil {
		d.bad(ProblemLocation, spec, "write targets: with one path a line", "the location has no targets")
	}
}

// mapping returns a field that is a mapping, or nil; another kind is a problem.
func (d *descriptor) mapping(v *value, key string) *value {
	f := v.field(key)
	if f != nil && f.kind != mappingValue {
		d.bad(ProblemField, f, "", "%s is %s, not a mapping", key, f.kind)
		return nil
	}
	return f
}

// text returns a field that is text; numbers and the like are a problem, as they are to Backstage.
func (d *descriptor) text(v *value, key, otherwise string) string {
	f := v.field(key)
	if f == nil {
		return otherwise
	}
	s, ok := d.scalar(f, key)
	if !ok {
		return ""
	}
	return s
}

func (d *descriptor) scalar(f *value, key string) (string, bool) {
	if f.kind != scalarValue {
		d.bad(ProblemField, f, "", "%s is %s, not text", key, f.kind)
		return "", false
	}
	switch f.tag {
	case "!!bool", "!!int", "!!float", "!!null":
		d.bad(ProblemField, f, "put it in quotes", "%s is %s, which YAML does not read as text", key, quote(f.text))
		return "", false
	}
	return f.text, true
}

func (d *descriptor) texts(v *value, key string) []string {
	f := v.field(key)
	if f == nil {
		return nil
	}
	if f.kind != sequenceValue {
		d.bad(ProblemField, f, "write each on a line of its own, after a dash", "%s is %s, not a list", key, f.kind)
		return nil
	}
	var out []string
	for _, item := range f.items {
		if s, ok := d.scalar(item, "a value of "+key); ok && s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (d *descriptor) textMap(v *value, key string) map[string]string {
	f := d.mapping(v, key)
	if f == nil || len(f.keys) == 0 {
		return nil
	}
	out := map[string]string{}
	for _, k := range f.keys {
		if s, ok := d.scalar(f.fields[k], key+"."+k); ok {
			out[k] = s
		}
	}
	return out
}

// ref returns a field that is an entity reference, written out in full.
func (d *descriptor) ref(v *value, key, kind, namespace string) string {
	f := v.field(key)
	if f == nil {
		return ""
	}
	s, ok := d.scalar(f, key)
	if !ok || s == "" {
		return ""
	}
	return d.fullRef(f, key, s, kind, namespace)
}

func (d *descriptor) refs(v *value, key, kind, namespace string) []string {
	f := v.field(key)
	if f == nil {
		return nil
	}
	if f.kind != sequenceValue {
		d.bad(ProblemField, f, "write each on a line of its own, after a dash", "%s is %s, not a list", key, f.kind)
		return nil
	}
	var out []string
	for _, item := range f.items {
		if s, ok := d.scalar(item, "a value of "+key); ok {
			if r := d.fullRef(item, key, s, kind, namespace); r != "" && !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
	}
	return out
}

// Names that are referred to may be looser than names that are given: owners come from directories of people.
var refRule = regexp.MustCompile(`^([A-Za-z0-9-]+:)?([A-Za-z0-9._-]+/)?[^\s/:\x00-\x1f]+$`)

func (d *descriptor) fullRef(f *value, key, text, kind, namespace string) string {
	if !refRule.MatchString(text) || len(text) > 3*maxName+2 {
		d.bad(ProblemField, f, "a reference is name, kind:name or kind:namespace/name", "%s in %s is not a reference", quote(text), key)
		return ""
	}
	return fleet.Ref(fleet.ParseRef(text, kind, namespace))
}
