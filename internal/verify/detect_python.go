package verify

import (
	"bytes"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// python finds a Python project by the files that declare one.
func (t *tree) python(at, want string) []Verifier {
	if t.pythonMark(at) {
		return t.pythonProject(at)
	}
	if at != want {
		return nil
	}
	var found []Verifier
	for _, dir := range t.inside(at, 2, func(name string) bool { return name == "pyproject.toml" || name == "setup.py" || name == "Pipfile" }) {
		if len(found) < 12 && t.pythonMark(dir) {
			found = append(found, t.pythonProject(dir)...)
		}
	}
	return found
}

// loosePython finds Python that declares nothing: scripts beside each other, perhaps with tests.
func (t *tree) loosePython(at string) []Verifier {
	if t.pythonTests(at).files == 0 && !t.anyFile(at, 0, ".py") {
		return nil
	}
	return t.pythonProject(at)
}

var pythonMarks = []string{"pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "Pipfile", "tox.ini", "pytest.ini", "noxfile.py", "manage.py"}

// pythonMark reports whether a folder declares a Python project and holds Python at all: pyproject.toml also serves as a
// settings file of tools for other languages.
func (t *tree) pythonMark(at string) bool {
	return t.first(at, pythonMarks...) != "" && t.anyFile(at, 3, ".py")
}

func (t *tree) anyFile(at string, depth int, ext string) bool {
	found := false
	t.below(at, depth, true, func(_ string, names []fs.DirEntry) bool {
		for _, e := range names {
			found = found || e.Type().IsRegular() && strings.HasSuffix(e.Name(), ext)
		}
		return !found
	})
	return found
}

// pythonTests is what the test files say about who runs them.
type pythonTests struct {
	files  int
	first  string // folder of the first test file, relative to the project
	pytest bool   // they cannot be run by unittest
	suffix bool   // they are named x_test.py
	inner  bool   // the folder is a package
}

var (
	testFile  = regexp.MustCompile(`^(test_.*|.*_test|tests)\.py$`)
	asPytest  = regexp.MustCompile(`(?m)^\s*(import pytest|from pytest)\b|^(async )?def test_`)
	notTested = map[string]bool{"venv": true, "node_modules": true, "site-packages": true}
)

func (t *tree) pythonTests(at string) pythonTests {
	var found pythonTests
	t.below(at, 4, true, func(dir string, names []fs.DirEntry) bool {
		for _, e := range names {
			if !e.Type().IsRegular() || !testFile.MatchString(e.Name()) || notTested[path.Base(dir)] {
				continue
			}
			if found.files == 0 {
				found.first = strings.TrimPrefix(strings.TrimPrefix(dir, at), "/")
				found.inner = t.has(path.Join(dir, "__init__.py"))
				found.suffix = strings.HasSuffix(e.Name(), "_test.py")
			}
			found.files++
			if found.files <= 20 && !found.pytest {
				found.pytest = asPytest.Match(t.read(path.Join(dir, e.Name())))
			}
		}
		return found.files < 200
	})
	return found
}

func (t *tree) pythonProject(at string) []Verifier {
	source := path.Join(at, "*.py")
	if mark := t.first(at, pythonMarks...); mark != "" {
		source = path.Join(at, mark)
	}
	pyproject, cfg, tox := t.read(path.Join(at, "pyproject.toml")), t.read(path.Join(at, "setup.cfg")), t.read(path.Join(at, "tox.ini"))
	tests := t.pythonTests(at)
	pytest := tests.files > 0 && (tests.pytest || hasHeader(pyproject, "tool.pytest") || hasHeader(cfg, "tool:pytest") || hasHeader(tox, "pytest") ||
		t.first(at, "pytest.ini", "conftest.py", "tests/conftest.py", "test/conftest.py") != "" || bytes.Contains(tox, []byte("pytest")))

	var found []Verifier
	var tools []string
	add := func(name string, kind Kind, argv ...string) {
		found = append(found, Verifier{Name: name, Kind: kind, Source: source, Tool: "python", Dir: at, Argv: argv,
			Scratch: scratch(at, ".venv/", "__pycache__/", "*.pyc", ".pytest_cache/", ".mypy_cache/", ".ruff_cache/", ".coverage", ".coverage.*", "*.egg-info/", ".eggs/")})
	}
	add("python compile", Build, "python3", "-m", "compileall", "-q", "-f", "-x", `(^|/)(\.?venv|\.tox|\.nox|\.git|node_modules|site-packages|testdata|fixtures|templates|\{\{[^/]*)(/|$)`, ".")
	if t.first(at, "ruff.toml", ".ruff.toml") != "" || hasHeader(pyproject, "tool.ruff") {
		tools = append(tools, "ruff")
		add("ruff", Lint, "ruff", "check", "--no-cache", ".")
	}
	if own := t.first(at, "mypy.ini", ".mypy.ini"); own != "" || hasHeader(cfg, "mypy") || hasHeader(pyproject, "tool.mypy") {
		tools = append(tools, "mypy")
		argv := []string{"mypy", "--no-color-output", "--no-pretty", "--cache-dir=/dev/null"}
		if !mypyScope.Match(slices.Concat(t.read(path.Join(at, own)), cfg, []byte("\n"), pyproject)) {
			argv = append(argv, ".")
		}
		add("mypy", Lint, argv...)
	}
	switch {
	case pytest:
		tools = append(tools, "pytest")
		add("pytest", Test, "python3", "-m", "pytest", "-rfE", "--color=no", "--continue-on-collection-errors")
	case tests.files > 0 && t.has(path.Join(at, "manage.py")):
		add("django test", Test, "python3", "manage.py", "test", "--noinput")
	case tests.files > 0:
		argv := []string{"python3", "-m", "unittest", "discover"}
		if tests.first != "" {
			argv = append(argv, "-s", tests.first)
			if tests.inner {
				argv = append(argv, "-t", ".")
			}
		}
		if tests.suffix {
			argv = append(argv, "-p", "*_test.py")
		}
		add("unittest", Test, argv...)
	}
	warm, setup := t.pythonInstall(at, pyproject, cfg, tools)
	for i := range found {
		v := &found[i]
		if v.Kind != Build {
			v.Warm, v.Setup = warm, setup
			if len(setup) > 0 { // else nothing would remove a .venv that came with the diff
				v.Path = []string{path.Join(at, ".venv/bin")}
			}
		}
		if v.Kind == Test {
			v.Env = map[string]string{"PYTHONPATH": "."}
			if t.isDir(path.Join(at, "src")) {
				v.Env["PYTHONPATH"] = "src:." // a package in src/ that is not installed
			}
		}
	}
	return found
}

var mypyScope = regexp.MustCompile(`(?m)^\s*(files|packages|modules)\s*=`)

var requirementFiles = []string{
	"requirements.txt", "requirements-dev.txt", "requirements_dev.txt", "dev-requirements.txt", "requirements-test.txt", "requirements_test.txt", "test-requirements.txt", "tests-requirements.txt",
	"requirements/base.txt", "requirements/dev.txt", "requirements/test.txt", "requirements/tests.txt", "requirements/testing.txt", "tests/requirements.txt", "test/requirements.txt",
}

// plainRequirement is a name with versions and markers: no option, no URL, no path.
var plainRequirement = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*(\[[\w, -]*\])?\s*(\(?[<>=!~^ ][^@/\\:;&|$` + "`" + `]*)?(;[^@/\\&|$` + "`" + `]*)?$`)

// wheels is a shell prologue that chooses the folder in which the packages lie.
const wheels = `PIP_FIND_LINKS="${PIP_FIND_LINKS:-$HOME/.cache/pip/wheels}"; export PIP_FIND_LINKS; `

// pythonInstall makes a virtual environment of what the project declares. Where that is written as plain requirements, wheels are enough and
// nothing of anybody's runs; requirement files and setup.py can say anything, so then the step says that it executes.
func (t *tree) pythonInstall(at string, pyproject, cfg []byte, tools []string) (warm, setup []Step) {
	var args []string
	executes := false
	for _, file := range requirementFiles {
		if data := t.read(path.Join(at, file)); data != nil {
			args = append(args, "-r", file)
			for line := range bytes.Lines(data) {
				text := strings.TrimSpace(strings.SplitN(string(line), " #", 2)[0])
				executes = executes || text != "" && !strings.HasPrefix(text, "#") && !plainRequirement.MatchString(text)
			}
		}
	}
	declared := t.declared(pyproject, cfg)
	for _, r := range declared {
		if plainRequirement.MatchString(r) {
			args = append(args, r)
		}
	}
	if len(args) == 0 && t.has(path.Join(at, "setup.py")) {
		args, executes = append(args, "."), true
	}
	if len(args) == 0 {
		return nil, nil
	}
	args = append(args, tools...)
	binary := " --only-binary=:all:"
	if executes {
		binary = ""
	}
	download := wheels + `mkdir -p "$PIP_FIND_LINKS" && exec python3 -m pip download --quiet` + binary + ` --dest "$PIP_FIND_LINKS" ` + words(args)
	install := wheels + "python3 -m venv --system-site-packages .venv && .venv/bin/python3 -m pip install --quiet --no-index " + words(args)
	if t.first(at, "setup.py", "pyproject.toml") != "" {
		install += " && { .venv/bin/python3 -m pip install --quiet --no-index --no-deps --no-build-isolation -e . || true; }" // for entry points and version metadata
	}
	warm = []Step{{Name: "pip download " + words(args), Argv: []string{"sh", "-c", download}, Dir: at, Executes: executes, Optional: true}}
	setup = []Step{{Name: "pip install " + words(args), Argv: fresh(install, ".venv"), Dir: at, Executes: true, Optional: true}}
	return warm, setup
}

var quoted = regexp.MustCompile(`"([^"\n]{1,200})"|'([^'\n]{1,200})'`)

// declared lists the requirements that pyproject.toml and setup.cfg name in the open: dependencies, and the extras and
// groups whose names speak of tests or development.
func (t *tree) declared(pyproject, cfg []byte) []string {
	var all []string
	section, key, open := "", "", false
	for line := range bytes.Lines(pyproject) {
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		if !open && text[0] == '[' {
			section = strings.Trim(text, "[] ")
			continue
		}
		if !open {
			name, value, ok := strings.Cut(text, "=")
			if !ok {
				continue
			}
			key, text = strings.Trim(strings.TrimSpace(name), `"'`), strings.TrimSpace(value)
			if strings.HasPrefix(section, "tool.poetry") && strings.HasSuffix(section, "dependencies") && key != "python" && (section == "tool.poetry.dependencies" || developing.MatchString(section)) {
				all = append(all, key) // Poetry's ^1.2 is not pip's; the newest will mostly do
				continue
			}
			open = strings.HasPrefix(text, "[")
		}
		wanted := section == "project" && key == "dependencies" || (section == "project.optional-dependencies" || section == "dependency-groups") && developing.MatchString(key)
		if open && wanted {
			for _, m := range quoted.FindAllStringSubmatch(text, 100) {
				all = append(all, m[1]+m[2])
			}
		}
		open = open && !strings.HasSuffix(strings.TrimRight(text, ", "), "]")
	}
	inside := false
	for line := range bytes.Lines(cfg) {
		text := strings.TrimRight(string(line), "\r\n")
		if strings.HasPrefix(text, "[") || text != "" && text[0] != ' ' && text[0] != '\t' {
			name, value, _ := strings.Cut(text, "=")
			name = strings.TrimSpace(name)
			inside = name == "install_requires" || name == "tests_require" || developing.MatchString(name) && !strings.HasPrefix(text, "[")
			text = value
		}
		if text = strings.TrimSpace(text); inside && text != "" {
			all = append(all, text)
		}
	}
	if len(all) > 200 {
		all = all[:200]
	}
	return all
}

var developing = regexp.MustCompile(`(?i)\b(tests?|testing|dev|develop|development)\b`)
