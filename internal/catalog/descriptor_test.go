package catalog

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gaggle/internal/fleet"
)

// doc writes a component's document from the lines below its kind.
func doc(lines ...string) string {
	return "apiVersion: backstage.io/v1alpha1\nkind: Component\n" + strings.Join(lines, "\n") + "\n"
}

func named(name string) string { return doc("metadata: {name: "+name+"}", "spec: {owner: o}") }

func TestAComponentInFull(t *testing.T) {
	inv := one(t, map[string]string{"catalog-info.yaml": `
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  namespace: Payments
  name: Billing.API
  title: Billing
  description: >
    Sends
    invoices.
  labels: {tier: "1"}
  annotations:
    github.com/project-slug: acme/billing
  tags: [java, pci]
spec:
  type: service
  lifecycle: production
  owner: team-a
  system: money
  subcomponentOf: component:shop
  dependsOn: [resource:db, "component:default/ledger", resource:db]
  providesApis: [billing]
  consumesApis: [other/rates]
`, "main.java": "class X {}"})
	equal(t, "problems", inv.problems(), "")
	want := fleet.Component{
		Ref: "component:payments/billing.api", Kind: "Component", Namespace: "payments", Name: "Billing.API", Title: "Billing", Description: "Sends invoices.\n",
		Type: "service", Lifecycle: "production", Owner: "group:payments/team-a", System: "system:payments/money", Repository: "acme/mono", Path: ".",
		Language: "Java", Languages: []string{"Java"}, Bytes: 10, Tags: []string{"java", "pci"}, Labels: map[string]string{"tier": "1"},
		Annotations: map[string]string{"github.com/project-slug": "acme/billing"},
		DependsOn:   []string{"resource:payments/db", "component:default/ledger"}, Provides: []string{"api:payments/billing"}, Consumes: []string{"api:other/rates"},
	}
	if d := cmp.Diff([]fleet.Component{want}, inv.results["acme/mono"].Components); d != "" {
		t.Error(d)
	}
}

func TestEntities(t *testing.T) {
	inv := one(t, map[string]string{"catalog-info.yaml": `
apiVersion: backstage.io/v1alpha1
kind: group
metadata: {name: team-a}
spec: {type: team, profile: {displayName: Team A, email: a@example.com}, children: [], parent: null, size: 0x1F, ratio: 1.5, on: true}
---
apiVersion: backstage.io/v1beta1
kind: API
metadata: {name: rates, title: Rates}
spec: {type: openapi, owner: team-a, definition: {$text: ./openapi.yaml}}
---
apiVersion: backstage.io/v1alpha1
kind: System
metadata: {name: money}
---
apiVersion: backstage.io/v1beta2
kind: Template
metadata: {name: ignored}
---
apiVersion: example.com/v1
kind: Whatever
`})
	equal(t, "problems", inv.problems(), "")
	equal(t, "components", inv.components(), "acme/mono . acme-mono") // no document describes one
	var got []string
	for _, e := range inv.results["acme/mono"].Entities {
		if !json.Valid([]byte(e.Data)) {
			t.Errorf("not JSON: %s", e.Data)
		}
		got = append(got, strings.Join([]string{e.Ref, e.Kind, e.Title, e.Owner, e.Email, e.Repository}, "|"))
	}
	want := []string{"group:default/team-a|Group|Team A||a@example.com|acme/mono", "api:default/rates|API|Rates|group:default/team-a||acme/mono", "system:default/money|System||||acme/mono"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if data := inv.results["acme/mono"].Entities[0].Data; !strings.Contains(data, `"parent":null,"size":"0x1F","ratio":1.5,"on":true`) {
		t.Error(data)
	}
}

// Each problem has its place, and each document that is sound counts, whatever stands around it.
func TestBrokenDescriptors(t *testing.T) {
	good := named("good")
	for name, c := range map[string]struct{ text, want string }{
		"syntax":            {doc("metadata:", "  name: a", "   title: b"), `5:4 descriptor_invalid not YAML: a second ": " stands where no key can be`},
		"tab":               {doc("metadata:", "\tname: a"), `4:1 descriptor_invalid not YAML: a tab is used for indentation`},
		"quote":             {doc(`metadata: {name: "a}`), `3:18 descriptor_invalid not YAML: a quote is not closed`},
		"control character": {doc("metadata: {name: a\x01}"), `3:19 descriptor_invalid control character U+0001`},
		"not UTF-8":         {doc("metadata: {name: a\xff}"), `3:19 descriptor_invalid byte 0xFF is not UTF-8`},
		"a list":            {"- a\n- b\n", "1:1 descriptor_invalid the document is a list"},
		"text":              {"hello\n", "1:1 descriptor_invalid the document is a single value"},
		"null":              {"~\n", ""},
		"no version":        {"kind: Component\n", "1:1 descriptor_invalid the document has no apiVersion"},
		"version":           {"apiVersion: [1]\n", "1:13 descriptor_field apiVersion is a list, not text"},
		"no kind":           {"apiVersion: backstage.io/v1alpha1\n", "1:1 descriptor_invalid the document has no kind"},
		"kind":              {"apiVersion: backstage.io/v1alpha1\nkind: Servce\n", `2:7 descriptor_invalid the kind "Servce" is not known`},
		"no metadata":       {doc("spec: {}"), "1:1 descriptor_invalid the entity has no metadata"},
		"metadata":          {doc("metadata: a"), "3:11 descriptor_invalid metadata is a single value"},
		"no name":           {doc("metadata: {title: a}"), "3:11 descriptor_invalid metadata has no name"},
		"number as name":    {doc("metadata: {name: 12}"), `3:18 descriptor_field name is "12", which YAML does not read as text`},
		"bad name":          {doc("metadata: {name: a b}"), `3:18 descriptor_invalid "a b" is not a usable name`},
		"escaping name":     {doc("metadata: {name: ../../x}"), `3:18 descriptor_invalid "../../x" is not a usable name`},
		"template":          {doc("metadata: {name: '${{ values.name }}'}"), `3:18 descriptor_invalid "${{ values.name }}" is not a usable name`},
		"long name":         {doc("metadata: {name: " + strings.Repeat("a", 64) + "}"), `3:18 descriptor_invalid "` + strings.Repeat("a", 64) + `" is not a usable name`},
		"namespace":         {doc("metadata: {name: a, namespace: b_c}"), `3:32 descriptor_invalid "b_c" is not a usable namespace`},
		"terminal":          {doc("metadata: {name: \"\\e[31m\"}"), `3:18 descriptor_invalid "?[31m" is not a usable name`},
		"unknown alias":     {doc("metadata: *a"), `3:1 descriptor_invalid not YAML: unknown anchor 'a' referenced`},
		"alias of itself":   {doc("metadata: &a {name: *a}"), `1:1 descriptor_invalid the document is nested more than 100 levels deep`},
		"deep":              {strings.Repeat("[", 200) + strings.Repeat("]", 200) + "\n", "1:1 descriptor_invalid the document is nested more than 100 levels deep"},
		"bottomless":        {strings.Repeat("[", 100_000) + "\n", "1:1 descriptor_invalid not YAML: exceeded max depth of 10000"},
		"bomb":              {bomb(), "1:1 descriptor_invalid the document has more than 100000 values once its aliases are written out"},
		"marker":            {"--- foo: bar\n", `1:1 descriptor_invalid not YAML: a second ": " stands where no key can be`},
	} {
		t.Run(name, func(t *testing.T) {
			// The sound documents before and after it count, and move its lines by what stands before.
			lines := strings.Count(good, "\n") + 1
			inv := one(t, map[string]string{"catalog-info.yaml": good + "---\n" + c.text + "---\n" + named("second")})
			equal(t, "components", inv.components(), "acme/mono . good group:default/o\nacme/mono . second group:default/o")
			want := ""
			if c.want != "" {
				line, rest, _ := strings.Cut(c.want, ":")
				want = "acme/mono catalog-info.yaml:" + shift(t, line, lines) + ":" + rest
			}
			if got := inv.problems(); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func shift(t *testing.T, line string, by int) string {
	t.Helper()
	var n int
	if err := json.Unmarshal([]byte(line), &n); err != nil {
		t.Fatal(err)
	}
	out, _ := json.Marshal(n + by)
	return string(out)
}

// bomb is a small document that is a billion values when written out.
func bomb() string {
	b := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		a := string(rune('0' + i))
		c := string(rune('1' + i))
		b += "a" + c + ": &a" + c + " [" + strings.TrimSuffix(strings.Repeat("*a"+a+", ", 10), ", ") + "]\n"
	}
	return b
}

// A field that is wrong does not cost the component.
func TestWrongFields(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"owner":       {doc("metadata: {name: a}", "spec: {owner: [x]}"), "4:15 descriptor_field owner is a list, not text"},
		"no owner":    {doc("metadata: {name: a}", "spec: {type: x}"), "4:7 descriptor_field the component has no spec.owner; CODEOWNERS decides"},
		"no spec":     {doc("metadata: {name: a}"), "1:1 descriptor_field the component has no spec.owner; CODEOWNERS decides"},
		"reference":   {doc("metadata: {name: a}", "spec: {owner: 'a b'}"), `4:15 descriptor_field "a b" in owner is not a reference`},
		"references":  {doc("metadata: {name: a}", "spec: {owner: o, dependsOn: [x:y/z/w]}"), `4:30 descriptor_field "x:y/z/w" in dependsOn is not a reference`},
		"no list":     {doc("metadata: {name: a, tags: x}", "spec: {owner: o}"), "3:27 descriptor_field tags is a single value, not a list"},
		"number":      {doc("metadata: {name: a, tags: [1]}", "spec: {owner: o}"), `3:28 descriptor_field a value of tags is "1", which YAML does not read as text`},
		"annotations": {doc("metadata: {name: a, annotations: [1]}", "spec: {owner: o}"), "3:34 descriptor_field annotations is a list, not a mapping"},
		"annotation":  {doc("metadata: {name: a, annotations: {k: {}}}", "spec: {owner: o}"), "3:38 descriptor_field annotations.k is a mapping, not text"},
		"twice":       {doc("metadata: {name: a}", "spec: {owner: o, type: x, type: y}"), `4:27 descriptor_field the key "type" stands twice`},
		"odd key":     {doc("metadata: {name: a}", "spec: {owner: o, [1]: y}"), "4:18 descriptor_field the key is no text"},
	} {
		t.Run(name, func(t *testing.T) {
			inv := one(t, map[string]string{"catalog-info.yaml": c.text})
			equal(t, "problems", inv.problems(), "acme/mono catalog-info.yaml:"+c.want)
			if got := inv.results["acme/mono"].Components; len(got) != 1 || got[0].Name != "a" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestDocuments(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want string // names of components
	}{
		"byte order mark":    {"\ufeff" + named("a"), "a"},
		"carriage returns":   {strings.ReplaceAll(named("a")+"---\n"+named("b"), "\n", "\r\n"), "a b"},
		"leading marker":     {"---\n" + named("a"), "a"},
		"marker and comment": {"# head\n---  # first\n" + named("a") + "--- # second\n" + named("b"), "a b"},
		"end markers":        {named("a") + "...\n---\n" + named("b") + "...\n", "a b"},
		"directive":          {"%YAML 1.2\n---\n" + named("a"), "a"},
		"not a marker":       {doc("metadata:", "  name: a", "  description: |", "    ---", "    x", "spec: {owner: o}"), "a"},
		"aliases and merges": {doc("metadata: &m {name: a, tags: &t [x]}", "x: {<<: [*m, {name: b}], tags: *t}", "spec: {<<: {owner: o}}"), "a"},
		"no line feed":       {strings.TrimSuffix(named("a"), "\n"), "a"},
	} {
		t.Run(name, func(t *testing.T) {
			inv := one(t, map[string]string{"catalog-info.yaml": c.text})
			equal(t, "problems", inv.problems(), "")
			var got []string
			for _, c := range inv.results["acme/mono"].Components {
				got = append(got, c.Name)
			}
			equal(t, "components", strings.Join(got, " "), c.want)
		})
	}
}

func FuzzDescriptor(f *testing.F) {
	f.Add([]byte(named("a") + "---\n" + doc("metadata: &a {name: *a}")))
	f.Add([]byte("--- !x\n? a\n: [b, {c: *d}]\n...\n%YAML 1.2\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := &problems{repository: "r"}
		d := &descriptor{file: "catalog-info.yaml", problems: p}
		d.read(data)
		lines := strings.Count(string(data), "\n") + 1
		for _, problem := range p.list {
			if problem.Line < 1 || problem.Line > lines+1 || problem.Column < 1 {
				t.Errorf("a place outside the file: %+v", problem)
			}
		}
		for _, found := range d.found {
			if found.entity != nil && !json.Valid([]byte(found.entity.Data)) {
				t.Errorf("not JSON: %s", found.entity.Data)
			}
		}
	})
}
