package guard

import (
	"path"
	"regexp"
	"strings"
)

// checkModes finds links, submodules and changes of the executable bit.
func checkModes(r *review) {
	for _, c := range r.changes {
		p := c.path()
		if c.oldMode&modeType == modeModule || c.newMode&modeType == modeModule {
			if !r.excused(p) {
				r.report(submoduleChanged, p, 0, "", "the submodule points elsewhere: undo that, the prompt does not ask for it")
			}
			continue
		}
		if c.isDeleted() {
			continue
		}
		if c.newMode&modeType == modeLink {
			r.checkLink(c)
			continue
		}
		was, is := c.oldMode&modeExecute != 0, c.newMode&modeExecute != 0
		switch {
		case c.isNew() && is && !isScript(c) && !c.binary:
			r.report(modeChanged, p, 0, "", "the new file is executable but is no script: make it a plain file")
		case !c.isNew() && c.oldMode != 0 && is && !was:
			r.report(modeChanged, p, 0, "", "the file became executable: restore its mode")
		case !c.isNew() && c.oldMode != 0 && was && !is && c.newMode != 0:
			r.report(modeChanged, p, 0, "", "the file is no longer executable: restore its mode")
		}
	}
}

func isScript(c *change) bool {
	if len(c.added) > 0 && strings.HasPrefix(c.added[0].text, "#!") {
		return true
	}
	if dir := path.Dir("/" + c.newPath); strings.Contains(dir, "/scripts") || strings.Contains(dir, "/bin") {
		return true
	}
	switch path.Ext(c.newPath) {
	case ".sh", ".bash", ".py", ".rb", ".pl", ".bat", ".cmd", ".ps1":
		return true
	}
	return path.Base(c.newPath) == "gradlew" || path.Base(c.newPath) == "mvnw"
}

// checkLink judges where a symbolic link points.
func (r *review) checkLink(c *change) {
	p, target := c.path(), ""
	if len(c.added) > 0 {
		target = c.added[0].text
	}
	clean := path.Join(path.Dir(p), target)
	switch {
	case target == "":
		if c.renamed && strings.Count(c.oldPath, "/") != strings.Count(c.newPath, "/") {
			r.report(symlinkUnsafe, p, 0, "", "a moved symbolic link points elsewhere from its new place: remove it")
		}
	case strings.HasPrefix(target, "/") || strings.HasPrefix(target, "~") || regexp.MustCompile(`^[A-Za-z]:|\\`).MatchString(target):
		r.report(symlinkUnsafe, p, 0, target, "the symbolic link is absolute: make it relative and keep it inside the repository, or remove it")
	case clean == ".." || strings.HasPrefix(clean, "../"):
		r.report(symlinkUnsafe, p, 0, target, "the symbolic link leaves the repository: remove it")
	case insideGit(clean):
		r.report(symlinkUnsafe, p, 0, target, "the symbolic link points into .git: remove it")
	case !c.isNew() && c.oldMode&modeType != modeLink && c.oldMode != 0, r.replacesFile(c):
		r.report(symlinkUnsafe, p, 0, target, "a symbolic link takes the place of a file: restore the file")
	}
}

// replacesFile reports whether the diff deletes a plain file where it adds the link, as git shows a change of type.
func (r *review) replacesFile(link *change) bool {
	for _, c := range r.changes {
		if c.isDeleted() && c.oldPath == link.newPath && c.oldMode&modeType != modeLink {
			return true
		}
	}
	return false
}

var gitFolder = regexp.MustCompile(`(?i)(^|/)(\.git|git~1|\.g\x{200c}it)(/|$)`)

func insideGit(p string) bool { return gitFolder.MatchString(p) }

// checkSpecialFiles finds edits to files that decide who reviews, what runs and what agents are told.
func checkSpecialFiles(r *review) {
	for _, c := range r.changes {
		pureMove := len(c.added)+len(c.removed) == 0 && !c.binary && !c.isNew() && !c.isDeleted()
		for _, p := range c.paths() {
			r.checkSpecialFile(c, p, pureMove)
		}
	}
}

func (r *review) checkSpecialFile(c *change, p string, pureMove bool) {
	if r.excused(p) {
		return
	}
	line := firstLine(c)
	switch {
	case insideGit(p) || strings.HasPrefix(strings.ToLower(path.Base(p)), ".git") && path.Base(p) == ".git":
		r.report(hookEdited, p, line, "", "the file lies inside a git directory: remove it")
	case path.Base(p) == ".gitmodules":
		r.report(submoduleChanged, p, line, "", "where submodules come from is changed: undo that, the prompt does not ask for it")
	case ownersPath.MatchString(p):
		r.report(codeownersEdited, p, line, "", "who must review is not part of this change: restore the file")
	case hookPath.MatchString(p):
		r.report(hookEdited, p, line, "", "git hooks run on people's machines and are not part of this change: restore the file")
	case agentPath.MatchString(p) && !strings.HasPrefix(p, "docs/"):
		r.report(agentConfigEdited, p, line, "", "what coding agents are told is not part of this change: restore the file")
	case ciPath.MatchString(p) && !isDocument(p):
		r.report(ciEdited, p, line, "", "continuous integration is not part of this change: restore the file")
	case ignorePath.MatchString(p) && !pureMove:
		r.report(ignoreEdited, p, line, firstText(c), "what git ignores is not part of this change: restore the file, and delete stray files instead of ignoring them")
	case path.Base(p) == ".gaggle.yaml" || path.Base(p) == ".gaggle.yml":
		r.report(gaggleEdited, p, line, firstText(c), "the repository's settings for Gaggle are its owners': restore the file")
	}
}

func isDocument(p string) bool {
	switch path.Ext(p) {
	case ".md", ".rst", ".txt", ".adoc":
		return true
	}
	return false
}

func firstText(c *change) string {
	if len(c.added) > 0 {
		return c.added[0].text
	}
	return ""
}

// checkAttributes finds attributes that hide a diff or run a program.
func checkAttributes(r *review) {
	for _, c := range r.changes {
		if path.Base(c.path()) != ".gitattributes" || r.excused(c.path()) {
			continue
		}
		moved := map[string]bool{}
		for _, l := range c.removed {
			moved[strings.Join(strings.Fields(l.text), " ")] = true
		}
		for _, l := range c.added {
			fields := strings.Fields(l.text)
			if len(fields) < 2 || strings.HasPrefix(fields[0], "#") || moved[strings.Join(fields, " ")] {
				continue
			}
			for _, a := range fields[1:] {
				if why := attributeRisk(a); why != "" {
					r.report(attributesEdited, c.path(), l.num, l.text, "the attribute %s %s: remove the line", a, why)
					break
				}
			}
		}
	}
}

func attributeRisk(attribute string) string {
	name, value, _ := strings.Cut(attribute, "=")
	switch name {
	case "binary", "-diff", "-text":
		return "hides the files' content from diffs"
	case "diff", "merge", "filter":
		if value != "" {
			return "runs a driver over the files"
		}
	case "-merge":
		return "changes how the files are merged"
	case "linguist-generated", "linguist-vendored", "linguist-documentation", "gitlab-generated":
		if value != "false" {
			return "folds the files away in reviews"
		}
	case "eol", "text", "working-tree-encoding", "ident", "crlf", "-crlf":
		return "changes the bytes of the files"
	case "export-ignore", "export-subst":
		return "changes what releases hold"
	}
	return ""
}
