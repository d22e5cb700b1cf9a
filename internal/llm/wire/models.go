package wire

import (
	"bytes"
	"slices"
)

// KeepModels returns a list of models, as GET /v1/models of either provider answers it, with those alone that are named.
func KeepModels(body []byte, names []string) ([]byte, error) {
	top, err := parse(body)
	if err != nil {
		return nil, err
	}
	data := top.get("data")
	if !data.isArray() {
		return nil, errJSON
	}
	kept := [][]byte{}
	for m := range data.elements() {
		if slices.Contains(names, m.get("id").str()) {
			kept = append(kept, m)
		}
	}
	out := bytes.Join(kept, []byte(","))
	return append(append([]byte(`{"object":"list","has_more":false,"data":[`), out...), "]}"...), nil
}

// Member is one member of a request.
type Member struct {
	Name  string
	Value []byte   // JSON, as it came
	Items [][]byte // the conversation's messages, when this member holds them
}

// Members takes a request apart without decoding it. It returns nil when the text is no JSON object.
func Members(body []byte) []Member {
	top, err := parse(body)
	if err != nil {
		return nil
	}
	var all []Member
	for f := range top.fields() {
		m := Member{Name: f.key, Value: f.value}
		if f.key == "messages" || f.key == "input" {
			for item := range f.value.elements() {
				m.Items = append(m.Items, item)
			}
		}
		all = append(all, m)
	}
	return all
}
