package source

import (
	"path"
	"strings"
)

// block is how a language marks the extent of a function.
type block int

const (
	braces block = iota
	indent       // Python
	ends         // Ruby: by the indentation of "end"
)

// Language is what must be known of a language to read its tests.
type Language struct {
	Name string

	lineComments []string
	blockOpen    string // "" when there are no block comments
	blockClose   string
	nested       bool   // block comments nest
	quotes       string // characters that open a string of one line
	multi        string // characters that open a string of many lines
	triple       bool   // """ (and ''' in Python) open strings of many lines
	raw          bool   // Rust's r#"…"#, C++'s R"(…)"
	interpolate  string // opens a nested expression inside a string: "${", "#{"
	regex        bool   // /…/ is a literal
	heredoc      string // "<<" or "<<<"
	extent       block
	macros       bool // name!(…) is a call
	dollar       bool // $ belongs to names
}

var (
	cFamily = Language{lineComments: []string{"//"}, blockOpen: "/*", blockClose: "*/", quotes: `"'`}

	byExt = map[string]string{
		".go": "go", ".js": "js", ".jsx": "js", ".ts": "js", ".tsx": "js", ".mjs": "js", ".cjs": "js", ".mts": "js", ".cts": "js", ".vue": "js", ".svelte": "js",
		".py": "python", ".pyi": "python", ".java": "java", ".kt": "kotlin", ".kts": "kotlin", ".groovy": "groovy", ".gradle": "groovy", ".scala": "scala",
		".rs": "rust", ".cs": "csharp", ".rb": "ruby", ".rake": "ruby", ".php": "php", ".sh": "shell", ".bash": "shell", ".bats": "shell", ".zsh": "shell",
		".swift": "swift", ".c": "c", ".h": "c", ".cc": "c", ".cpp": "c", ".hpp": "c", ".cxx": "c", ".m": "c", ".dart": "dart",
	}
)

// known describes a language by its name.
func known(name string) *Language {
	l := cFamily
	l.Name = name
	switch name {
	case "go":
		l.multi = "`"
	case "js":
		l.multi, l.interpolate, l.regex, l.dollar = "`", "${", true, true
	case "python":
		l = Language{Name: name, lineComments: []string{"#"}, quotes: `"'`, triple: true, extent: indent}
	case "java":
		l.triple = true
	case "kotlin", "groovy", "scala", "dart":
		l.triple, l.interpolate, l.nested = true, "${", name == "kotlin" || name == "scala"
		if name == "kotlin" || name == "scala" {
			l.multi = "`"
		}
	case "rust":
		l.nested, l.raw, l.macros, l.multi, l.quotes = true, true, true, `"`, "'"
	case "csharp":
		l.triple = true
	case "ruby":
		l = Language{Name: name, lineComments: []string{"#"}, quotes: `"'`, multi: "`", interpolate: "#{", regex: true, heredoc: "<<", extent: ends}
	case "php":
		l.lineComments, l.dollar, l.heredoc, l.multi, l.quotes = []string{"//", "#"}, true, "<<<", `"'`, ""
	case "shell":
		l = Language{Name: name, lineComments: []string{"#"}, multi: `"'`, heredoc: "<<", dollar: true}
	case "swift":
		l.triple, l.nested, l.quotes = true, true, `"`
	case "c":
		l.raw = true
	default:
		return nil
	}
	return &l
}

// Of returns the language of a file by its name, or nil when it is none that is read.
func Of(file string) *Language {
	name, ok := byExt[strings.ToLower(path.Ext(file))]
	if !ok {
		return nil
	}
	return known(name)
}
