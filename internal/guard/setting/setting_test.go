package setting

import (
	"fmt"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	for _, tc := range []struct{ file, text, want string }{
		{"package.json", "{\n  // note\n  \"jest\": {\"coverageThreshold\": {\"global\": {\"lines\": 80,},},},\n  \"files\": [\"a\", \"b\"]\n}",
			`jest.coveragethreshold.global.lines=80@3 files=a@4[] files=b@4[]`},
		{"jest.config.js", "module.exports = {\n  bail: true,\n  testMatch: ['**/*.ts'],\n  x: -1,\n};", `bail=true@2 testmatch=**/*.ts@3[] x=-1@4`},
		{"codecov.yml", "coverage:\n  status:\n    project: {}\n    patch:\n      - target: 80% # note\n  ignore: [a, 'b']\nlist:\n  - one\n  - two\n",
			`coverage.status.project={}@3 coverage.status.patch.target=80%@5 coverage.ignore=a@6[] coverage.ignore=b@6[] list=one@8[] list=two@9[]`},
		{"ci.yml", "run: |\n  go test\n  go vet\nnext: 1\n", `run=go test@2[] run=go vet@3[] next=1@4`},
		{"pyproject.toml", "[tool.ruff]\nselect = [\"E\", \"F\"]\nignore = [\n  \"E501\",\n]\n[tool.coverage.report]\nfail_under = 90 # percent\n",
			`tool.ruff.select=E@2[] tool.ruff.select=F@2[] tool.ruff.ignore=E501@4[] tool.coverage.report.fail_under=90@7`},
		{"Cargo.toml", "[dependencies]\nserde = { version = \"1.0\", features = [\"derive\"] }\n", `dependencies.serde.version=1.0@2 dependencies.serde.features=["derive"]@2`},
		{"setup.cfg", "[flake8]\nignore =\n    E501,\n    W503\nmax-complexity = 10\n", `flake8.ignore=E501@3[] flake8.ignore=W503@4[] flake8.max-complexity=10@5`},
		{"pom.xml", "<project>\n  <!-- a\n  b -->\n  <a x=\"1\">v</a>\n  <b/>\n</project>", `project.a.x=1@4 project.a=v@4`},
		{"x.csproj", "<P>\n  <R Include=\"A\" Version=\"1\" />\n</P>", `p.r.include=A@2 p.r.version=1@2`},
		{"unknown.txt", "a=1", ``},
	} {
		var got []string
		for _, s := range Read(tc.file, []Block{{First: 1, Lines: strings.Split(tc.text, "\n")}}) {
			one := fmt.Sprintf("%s=%s@%d", s.Path, s.Value, s.Line)
			if s.Item {
				one += "[]"
			}
			got = append(got, one)
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.file, strings.Join(got, " "), tc.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("[a]\nb = [1,\n2]\n<c d=\"e\">f</c>\n{\"g\": [1, {\"h\": -2}]}\ni:\n  - j: k\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, file := range []string{"a.json", "a.yml", "a.toml", "a.xml"} {
			Read(file, []Block{{First: 7, Lines: strings.Split(text, "\n")}})
		}
	})
}
