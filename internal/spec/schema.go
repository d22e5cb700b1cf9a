package spec

import (
	"encoding/json"

	"go.yaml.in/yaml/v3"
)

// Schema returns the JSON Schema (draft 2020-12) of a campaign file. The parser is stricter where a schema cannot say
// it: CEL, regular expressions, globs, and what depends on two keys.
func Schema() []byte {
	return schemaOf(grow(campaignFields(&Campaign{}, &header{}, &scripts{}, &guards{})), "Gaggle campaign",
		"One change rolled out over many components.")
}

// RepositorySchema returns the JSON Schema (draft 2020-12) of a repository's .gaggle.yaml.
func RepositorySchema() []byte {
	return schemaOf(grow(repositoryFields(&RepoConfig{}, &header{})), "Gaggle repository settings",
		"What a repository asks of the campaigns that concern it.")
}

// OwnersSchema returns the JSON Schema (draft 2020-12) of an organisation's owners.yaml.
func OwnersSchema() []byte {
	return schemaOf(grow(ownersFields(&Owners{}, &header{})), "Gaggle owners' policy",
		"When and how much owners may be disturbed, over all campaigns.")
}

// IdentitySchema returns the JSON Schema (draft 2020-12) of an identity.yaml.
func IdentitySchema() []byte {
	return schemaOf(grow(identityFields(&Identity{}, &header{})), "Gaggle identity", "Who commits are by, and how they are signed.")
}

// ForgesSchema returns the JSON Schema (draft 2020-12) of a forges.yaml.
func ForgesSchema() []byte {
	return schemaOf(grow(forgesFields(new(map[string]Forge), &header{})), "Gaggle forges", "Code hosts, and where the credentials for them are kept.")
}

func schemaOf(root *branch, title, doc string) []byte {
	s := root.schema()
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"], s["description"] = title, doc
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil // maps of plain values always have a JSON form; the golden test would show it
	}
	return append(data, '\n')
}

func (b *branch) schema() map[string]any {
	f := &b.field
	var s map[string]any
	if len(b.children) == 0 {
		s = f.kind.schema(f)
	} else {
		s = b.mapping()
	}
	if f.short != "" {
		short := b.child(f.short)
		s = map[string]any{"anyOf": []any{short.field.kind.schema(&short.field), s}}
	}
	if f.doc != "" {
		s["description"] = f.doc
	}
	var def any
	if f.def != "" && yaml.Unmarshal([]byte(f.def), &def) == nil {
		s["default"] = def
	}
	return s
}

func (b *branch) mapping() map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, c := range b.children {
		properties[c.name] = c.schema()
		if c.field.must {
			required = append(required, c.name)
		}
	}
	s := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}
