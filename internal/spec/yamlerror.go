package spec

import "gaggle/internal/fleet"

// SyntaxError says where and why a YAML document cannot be read, in the words used for campaign files. data is the one
// document and err what the parser said of it; the lines of the result are those of data.
func SyntaxError(file string, data []byte, err error) *fleet.Error {
	p := &problems{file: file}
	if at, what := badText(data); what != "" {
		p.add(at, "save the file as UTF-8 text", "%s", what)
	} else {
		p.syntax(newSource(data), data, err)
	}
	return p.list[0]
}
