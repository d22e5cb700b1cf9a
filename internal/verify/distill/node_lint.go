package distill

import (
	"regexp"
	"strings"
)

var (
	tscPlain   = regexp.MustCompile(`^(\S.*?)\((\d+),(\d+)\): error (TS\d+: .*)$`)
	tscPretty  = regexp.MustCompile(`^(\S.*?):(\d+):(\d+) - error (TS\d+: .*)$`)
	eslintItem = regexp.MustCompile(`^\s+(\d+):(\d+)\s+error\s+(.*?)(?:\s{2,}(\S+))?$`)
	lintFile   = regexp.MustCompile(`^(/?[\w@.~+\[\]()$-]+(?:/[\w@.~+\[\]()$ -]+)*\.\w{1,8})$`)
	styleItem  = regexp.MustCompile(`^\s+(\d+):(\d+)\s+[✖×]\s+(.*?)(?:\s{2,}(\S+))?$`)
	prettierNo = regexp.MustCompile(`^\[warn\] (\S+\.\w+)$`)
	prettierAt = regexp.MustCompile(`^\[error\] (\S+): (\w*Error: .*?) \((\d+):(\d+)\)$`)
	bundlerAt  = regexp.MustCompile(`^(?:\[tsl\] )?ERROR in (?:\./)?([^\s(:]+\.\w+)[ (:]?(\d+)?[,:]?(\d+)?[-:\d]*\)?(?:\s*TS\d+:?)?\s*(.*)$`)
	esbuildErr = regexp.MustCompile(`^\s*[✘X] \[ERROR\] (.*)$`)
	esbuildAt  = regexp.MustCompile(`^\s+(\S+):(\d+):(\d+):$`)
	biomeAt    = regexp.MustCompile(`^(\S+\.\w+)(?::(\d+):(\d+))? ((?:lint/|suppressions/|assist/)\S+|parse|format|organizeImports|check|ci)\b.*━{3,}`)
	nextAt     = regexp.MustCompile(`^\./(\S+\.\w+):(\d+):(\d+)$`)
	viteErr    = regexp.MustCompile(`^(?:error during build:|Failed to compile\.|\s*Build error occurred)$`)
)

// readNodeCompilers reads TypeScript, ESLint, Stylelint, Prettier, Biome, webpack, esbuild, Vite and Rollup, Next.
func readNodeCompilers(d *document) {
	file := "" // whose problems ESLint lists
	pretty := false
	for i := 0; i < len(d.lines); i++ {
		line := d.lines[i]
		if d.used[i] || line == "" {
			continue
		}
		if line == "Checking formatting..." || strings.Contains(line, "Code style issues") {
			pretty = true
		}
		if m := lintFile.FindStringSubmatch(line); m != nil {
			file = d.file(m[1])
			continue
		}
		switch {
		case tscPlain.MatchString(line):
			m := tscPlain.FindStringSubmatch(line)
			end := i + 1
			for end < len(d.lines) && strings.HasPrefix(d.lines[end], "  ") {
				end++
			}
			d.place(i, d.file(m[1]), m[2], m[3], m[4], d.lines[i+1:end]...)
			d.use(i, end)
		case tscPretty.MatchString(line):
			m := tscPretty.FindStringSubmatch(line)
			d.place(i, d.file(m[1]), m[2], m[3], m[4])
		case file != "" && (eslintItem.MatchString(line) || styleItem.MatchString(line)):
			m := eslintItem.FindStringSubmatch(line)
			if m == nil {
				m = styleItem.FindStringSubmatch(line)
			}
			d.place(i, file, m[1], m[2], withRule(m[3], m[4]))
		case prettierAt.MatchString(line):
			m := prettierAt.FindStringSubmatch(line)
			d.place(i, d.file(m[1]), m[3], m[4], m[2])
		case pretty && prettierNo.MatchString(line):
			name := d.file(prettierNo.FindStringSubmatch(line)[1])
			d.add(i, name+": format", name+": not formatted (prettier)")
			d.use(i, i+1)
		case bundlerAt.MatchString(line):
			m := bundlerAt.FindStringSubmatch(line)
			message := m[4]
			if message == "" && i+1 < len(d.lines) {
				message = strings.TrimSpace(d.lines[i+1])
			}
			if m[2] == "" {
				m[2] = "1"
			}
			d.place(i, d.file(m[1]), m[2], m[3], message)
			d.use(i, i+2)
		case esbuildErr.MatchString(line):
			message := esbuildErr.FindStringSubmatch(line)[1]
			for k := i + 1; k < min(i+4, len(d.lines)); k++ {
				if at := esbuildAt.FindStringSubmatch(d.lines[k]); at != nil {
					d.place(i, d.file(at[1]), at[2], at[3], message)
					message = ""
					d.use(i, k+1)
					break
				}
			}
			if message != "" {
				d.add(i, "esbuild: "+message, message)
			}
		case biomeAt.MatchString(line):
			d.biome(i, biomeAt.FindStringSubmatch(line))
		case nextAt.MatchString(line) && i+1 < len(d.lines):
			m := nextAt.FindStringSubmatch(line)
			d.place(i, d.file(m[1]), m[2], m[3], strings.TrimSpace(d.lines[i+1]))
			d.use(i, i+2)
		case viteErr.MatchString(line) && !nextAt.MatchString(strings.Join(d.lines[i+1:min(i+3, len(d.lines))], "")):
			end := i + 1
			for end < len(d.lines) && end < i+12 && !strings.HasPrefix(d.lines[end], "    at ") {
				end++
			}
			body := d.tell(d.lines[i+1 : end])
			if len(body) > 0 {
				d.add(i, "build: "+underRoot(body[0], d.in.Root), body[0], body[1:]...)
			}
			d.use(i, end)
		}
	}
}

func withRule(message, rule string) string {
	if rule == "" {
		return message
	}
	return message + " (" + rule + ")"
}

// biome reads one diagnostic, whose message stands behind a cross some lines on.
func (d *document) biome(i int, m []string) {
	message := m[4]
	for k := i + 1; k < min(i+6, len(d.lines)); k++ {
		if text, ok := strings.CutPrefix(strings.TrimSpace(d.lines[k]), "✖ "); ok {
			message = text + " (" + m[4] + ")"
			break
		}
	}
	if m[2] == "" {
		name := d.file(m[1])
		d.add(i, name+": "+message, name+": "+message)
		d.use(i, i+1)
		return
	}
	d.place(i, d.file(m[1]), m[2], m[3], message)
}

var (
	nodeError = regexp.MustCompile(`^(?:Uncaught |\[?)?((?:[A-Z]\w*)?(?:Error|Exception)(?: \[\w+\])?): (.*)$`)
	nodePlace = regexp.MustCompile(`^((?:file://)?[^\s:]+\.[cm]?[jt]sx?):(\d+)$`)
)

// readNodeCrash reads an uncaught exception.
func readNodeCrash(d *document) {
	for i, line := range d.lines {
		line = strings.TrimPrefix(line, "# ") // as node --test quotes it
		m := nodeError.FindStringSubmatch(line)
		if m == nil || len(d.found) >= 100 {
			continue
		}
		place := ""
		for k := max(0, i-6); k < i; k++ { // node prints the place of a syntax error above it
			if at := nodePlace.FindStringSubmatch(d.lines[k]); at != nil && !strings.HasPrefix(at[1], "node:") {
				place = d.file(at[1]) + ":" + at[2]
			}
		}
		var detail []string
		for k := i + 1; k < len(d.lines) && k < i+40; k++ {
			text := strings.TrimPrefix(d.lines[k], "# ")
			if strings.HasPrefix(strings.TrimSpace(text), "at ") {
				if place == "" {
					place = d.frame(text)
				}
			} else if k < i+4 && strings.HasPrefix(text, "- ") {
				detail = append(detail, "required by "+d.file(strings.TrimPrefix(text, "- ")))
			} else if text == "" || strings.HasPrefix(text, "}") {
				break
			}
		}
		if place != "" {
			detail = append(detail, "at "+place)
		}
		file, _, _ := strings.Cut(place, ":")
		d.add(i, "crash "+file+" "+m[1]+": "+m[2], m[1]+": "+m[2], detail...)
	}
}

var (
	npmSays  = regexp.MustCompile(`^npm (?:error|ERR!) (.+)$`)
	npmNoise = regexp.MustCompile(`^(?:A complete log|Log files were not written|enoent$|enoent This is related|To see a list|npm run|Lifecycle script|path |command |workspace |location |cwd |errno |syscall |Clean install|Usage:|npm ci|Options:|\[|\s|Run "npm help|aliases:|in workspace|code \S+$|Test failed\.)|^\s*$|^--|^-\w, `)
	pnpmSays = regexp.MustCompile(`^\s*(?:ERR_PNPM_\w+)\s+(.*)$|^\s*ELIFECYCLE\s+(.*)$`)
	yarnSays = regexp.MustCompile(`^(?:error |➤ YN\d+: (?:│ )?(?:\S+@\S+ )?)(.*)$`)
)

// readPackageManager reads npm's, pnpm's and yarn's own complaints.
func readPackageManager(d *document) {
	for i, line := range d.lines {
		text := ""
		if m := npmSays.FindStringSubmatch(line); m != nil && !npmNoise.MatchString(m[1]) {
			text = "npm: " + m[1]
		} else if m := pnpmSays.FindStringSubmatch(line); m != nil {
			text = "pnpm: " + strings.TrimSpace(line)
		} else if m := yarnSays.FindStringSubmatch(line); m != nil && !strings.HasPrefix(m[1], "Command failed") && strings.HasPrefix(line, "error ") {
			text = "yarn: " + m[1]
		}
		if text != "" {
			d.add(i, text, text)
		}
		if len(d.found) == 12 {
			return
		}
	}
}
