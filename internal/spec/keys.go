package spec

// Key is a key of a campaign file, a repository's settings or an owners.yaml, as documentation shows it.
type Key struct {
	Path     string // dotted, such as "limits.rounds"
	Default  string // written as in a file; "" for none
	Required bool   // where the mapping that holds it is there
	Values   []string
	Doc      string
}

// Keys lists the keys of a campaign file in the table's order.
func Keys() []Key {
	return keysOf(campaignFields(&Campaign{}, &header{}, &scripts{}, &guards{}))
}

// RepositoryKeys lists the keys of a repository's .gaggle.yaml.
func RepositoryKeys() []Key { return keysOf(repositoryFields(&RepoConfig{}, &header{})) }

// OwnersKeys lists the keys of an owners.yaml; those of one owner are not repeated.
func OwnersKeys() []Key { return keysOf(ownersFields(&Owners{}, &header{})) }

// IdentityKeys lists the keys of an identity.yaml.
func IdentityKeys() []Key { return keysOf(identityFields(&Identity{}, &header{})) }

// ForgesKeys lists the keys of a forges.yaml, and then those of one forge.
func ForgesKeys() []Key {
	keys := keysOf(forgesFields(new(map[string]Forge), &header{}))
	for _, k := range keysOf(forgeFields(&Forge{})) {
		k.Path = "forges.NAME." + k.Path
		keys = append(keys, k)
	}
	return keys
}

func keysOf(fields []field) []Key {
	keys := make([]Key, len(fields))
	for i, f := range fields {
		keys[i] = Key{Path: f.path, Default: f.def, Required: f.must, Values: f.oneOf, Doc: f.doc}
	}
	return keys
}
