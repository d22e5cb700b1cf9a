package git

import (
	"os"
	"path/filepath"
	"strings"
)

// gitDir describes a git directory made by hand: a process would cost more than the few files.
type gitDir struct {
	bare      bool
	sha256    bool
	head      string   // content of HEAD
	alternate string   // objects folder to read from as well; "" for none
	shallow   []byte   // content of the shallow file; nil for none
	config    []string // further lines
}

// rawAttributes switches off, with the highest precedence, all that a .gitattributes file can do to content on
// its way in and out (line ends, filters, keywords, encodings) and all that hides content from a diff.
const rawAttributes = "* -text !eol !crlf !ident !filter !working-tree-encoding !diff !merge !export-ignore !export-subst\n"

func makeGitDir(dir string, g gitDir) error {
	for _, sub := range []string{"objects/info", "objects/pack", "refs/heads", "info"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	var config strings.Builder
	version := "0"
	if g.sha256 {
		version = "1"
	}
	bare := "false"
	if g.bare {
		bare = "true"
	}
	config.WriteString("[core]\n\trepositoryformatversion = " + version + "\n\tfilemode = true\n\tbare = " + bare + "\n\tlogallrefupdates = false\n")
	for _, line := range g.config {
		config.WriteString("\t" + line + "\n")
	}
	if g.sha256 {
		config.WriteString("[extensions]\n\tobjectformat = sha256\n")
	}
	files := map[string]string{"HEAD": g.head + "\n", "config": config.String(), "info/attributes": rawAttributes}
	if g.alternate != "" {
		files["objects/info/alternates"] = g.alternate + "\n"
	}
	if g.shallow != nil {
		files["shallow"] = string(g.shallow)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// validOID reports whether s is a full object name, of either format.
func validOID(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
