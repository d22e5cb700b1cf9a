package spec

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func compile(t *testing.T, schema []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, schema, file []byte) error {
	t.Helper()
	var tree any
	if err := yaml.Unmarshal(file, &tree); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, schema).Validate(doc)
}

func TestSchemaGolden(t *testing.T) {
	golden(t, "testdata/campaign.schema.json", string(Schema()))
	golden(t, "testdata/repository.schema.json", string(RepositorySchema()))
	golden(t, "testdata/owners.schema.json", string(OwnersSchema()))
	golden(t, "testdata/identity.schema.json", string(IdentitySchema()))
	golden(t, "testdata/forges.schema.json", string(ForgesSchema()))
}

func TestSchemaAgreesWithTheParser(t *testing.T) {
	with := func(line string) string { return minimal + line + "\n" }
	for file, good := range map[string]bool{
		minimal: true,
		with("limits: {cost: 0.5, campaignCost: $600, memory: 6GiB, minutes: 0.5}"): true,
		with("limits: {cost: 0}"):                false,
		with("limits: {cost: '-1'}"):             false,
		with("limits: {rounds: 51}"):             false,
		with("limits: {round: 5}"):               false,
		with("limits: {memory: 4}"):              false,
		with("rollout: {waves: [5, 10%, 100%]}"): true,
		with("rollout: {waves: ['5', 2.5%]}"):    true,
		with("rollout: {waves: [0]}"):            false,
		with("rollout: {waves: []}"):             false,
		with("rollout: {waves: [ten]}"):          false,
		with("rollout: {waves: [{where: 'true', name: all}, {owner: group:a}, {count: 5}, {share: 10%}]}"): true,
		with("rollout: {waves: [{name: all}]}"):                                                   false,
		with("rollout: {waves: [{where: 'true', count: 5}]}"):                                     false,
		with("rollout: {waves: [{count: 0}]}"):                                                    false,
		with("rollout: {waves: [{share: 10}]}"):                                                   false,
		with("rollout: {waves: [{size: 10}]}"):                                                    false,
		with("rollout: {order: risk, schedule: '0 6 * * *', priority: -100}"):                     true,
		with("rollout: {order: random}"):                                                          false,
		with("rollout: {priority: 101}"):                                                          false,
		with("rollout: {gate: {checks: 1, vetoed: 10%, reverted: 0, deployed: 0.5, soak: 2h}}"):   true,
		with("rollout: {gate: {soak: 2}}"):                                                        false,
		with("rollout: {gate: {vetoed: 10}}"):                                                     false,
		with("rollout: {gate: {merged: 90%, success: 1}}"):                                        true,
		with("rollout: {gate: {merged: 90}}"):                                                     false,
		with("rollout: {approval: waves}"):                                                        false,
		with("judge: {mode: enforced}"):                                                           false,
		with("verify: {timeout: 10}"):                                                             false,
		with("verify: {timeout: 1h30m, run: [make]}"):                                             true,
		with("verify: {run: make}"):                                                               false,
		with("guard: {allow: []}"):                                                                true,
		with("guard: {allow: ['test-deleted:a/**']}"):                                             true,
		with("guard: {allow: [Foo]}"):                                                             false,
		strings.Replace(minimal, "small", "Small", 1):                                             false,
		strings.Replace(minimal, "small", "a-", 1):                                                false,
		strings.Replace(minimal, "gaggle/v1", "v1", 1):                                            false,
		strings.Replace(minimal, "include: [billing]", "contains: abc", 1):                        true,
		strings.Replace(minimal, "include: [billing]", "contains: {pattern: abc, paths: [a]}", 1): true,
		strings.Replace(minimal, "include: [billing]", "contains: {paths: [a]}", 1):               false,
		strings.Replace(minimal, "include: [billing]", "files: [/a]", 1):                          false,
		strings.Replace(minimal, "Do it.", "p, paths: [//go.work, '!a']", 1):                      true,
		strings.Replace(minimal, "Do it.", "p, paths: [/go.work]", 1):                             false,
		strings.Replace(minimal, "Do it.", "p, paths: []", 1):                                     false,
		strings.Replace(minimal, "Do it.", "p, env: {A: 1, B: x}", 1):                             true,
		strings.Replace(minimal, "Do it.", "p, env: {A-B: 1}", 1):                                 false,
		strings.Replace(minimal, "Do it.", "p, agent: codex", 1):                                  false,
	} {
		if err := validate(t, Schema(), []byte(file)); (err == nil) != good {
			t.Errorf("schema: good %v, but %v\n%s", good, err, file)
		}
		if _, err := Parse("f.yaml", []byte(file)); (err == nil) != good {
			t.Errorf("parser: good %v, but %v\n%s", good, err, file)
		}
	}
	for _, name := range []string{"everything", "missing", "foreign", "kinds", "list"} {
		data, err := os.ReadFile("testdata/bad/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "? [a]") {
			continue // no JSON form
		}
		if validate(t, Schema(), data) == nil {
			t.Errorf("the schema accepts %s", name)
		}
	}
}
