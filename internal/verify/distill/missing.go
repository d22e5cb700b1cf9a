package distill

import (
	"regexp"
	"strings"
)

// absent says in each tool's words that a part of the machine is missing: a program, a compiler, a version of it,
// or a dependency that cannot be fetched without network. The first group, where there is one, names the part.
var absent = []struct {
	tool string // "" for any
	says *regexp.Regexp
	what string // what is missing, "$1" for the group
}{
	{"", regexp.MustCompile(`^(?:/bin/|/usr/bin/)?(?:ba|da|z|k)?sh: (?:line )?\d*:? ?([^\s:]+): (?:command )?not found$`), "$1"},
	{"", regexp.MustCompile(`^(?:/\S+/)?(?:ba|da|z|k)?sh: \d+: (?:exec: )?([^\s:]+): not found$`), "$1"},
	{"", regexp.MustCompile(`^\S+: line \d+: ([^\s:]+): (?:command not found|No such file or directory)$`), "$1"},
	{"", regexp.MustCompile(`^(?:make|gmake)(?:\[\d+\])?: ([^\s:]+): (?:No such file or directory|Command not found|Permission denied)$`), "$1"},
	{"", regexp.MustCompile(`^(?:/usr/bin/)?env: ['‘]?([^'’:]+)['’]?: No such file or directory$`), "$1"},

	{"go", regexp.MustCompile(`go: (?:\S+ )?(?:go\.mod|go\.work|module \S+|\S+)? ?requires go >= ?(\S+) \(running`), "go $1"},
	{"go", regexp.MustCompile(`go: (?:download|cannot find|no such) .*(go1\.\d+\S*).*(?:toolchain not available|not in std|not found)`), "$1"},
	{"go", regexp.MustCompile(`C compiler "([^"]+)" not found`), "$1"},
	{"go", regexp.MustCompile(`(\S+@v\S+): (?:Get "[^"]*": |module lookup disabled by GOPROXY=off|.*dial tcp|.*no such host|.*connection refused|.*proxyconnect)`), "the module $1"},
	{"go", regexp.MustCompile(`module lookup disabled by GOPROXY=off|proxyconnect tcp|dial tcp: lookup \S+`), "a module that has to be downloaded"},

	{"node", regexp.MustCompile(`npm (?:error|ERR!) code (ENOTCACHED|EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|ECONNRESET)`), "a package that has to be downloaded ($1)"},
	{"node", regexp.MustCompile(`(ERR_PNPM_NO_OFFLINE_TARBALL|ERR_PNPM_NO_OFFLINE_META|ERR_PNPM_META_FETCH_FAIL|ERR_PNPM_FETCH_\d+)`), "a package that has to be downloaded ($1)"},
	{"node", regexp.MustCompile(`ERR_PNPM_UNSUPPORTED_ENGINE|The engine "node" is incompatible|npm (?:error|ERR!) code EBADENGINE`), "a matching version of node"},
	{"node", regexp.MustCompile(`Couldn't find any versions for|There appears to be trouble with your network connection|Couldn't find package "[^"]+" .* on the "npm" registry`), "a package that has to be downloaded"},
	{"node", regexp.MustCompile(`Error when performing the request to https?://\S*(?:pnpm|yarn)\S*`), "the package manager that package.json names"},

	{"python", regexp.MustCompile(`python\S*: No module named (pytest|mypy|ruff|tox|nox|unittest|build|venv|pip|ensurepip)\b`), "python module $1"},
	{"python", regexp.MustCompile(`pyenv: ([^:]+): command not found`), "$1"},
	{"python", regexp.MustCompile(`pyenv: version .([^' ]+). is not installed`), "python $1"},

	{"maven", regexp.MustCompile(`JAVA_HOME (?:environment variable )?is (?:not defined|not set|set to an invalid)`), "a Java development kit (JAVA_HOME)"},
	{"maven", regexp.MustCompile(`No compiler is provided in this environment`), "a Java compiler"},
	{"maven", regexp.MustCompile(`error: (?:invalid target release:|invalid source release:|release version|Source option|Target option) (\d[\d.]*)\b`), "a Java compiler for version $1"},
	{"maven", regexp.MustCompile(`Cannot access \S+ \(\S+\) in offline mode and the artifact (\S+) has not been downloaded`), "the artifact $1"},
	{"maven", regexp.MustCompile(`Could not (?:transfer|find) artifact (\S+) (?:from/to|in) .*(?:Unknown host|Temporary failure|Connection refused|timed out|Network is unreachable|offline)`), "the artifact $1"},
	{"maven", regexp.MustCompile(`(?:Non-resolvable parent POM|Unresolveable build extension|Plugin (\S+) or one of its dependencies could not be resolved).*(?:offline mode|Unknown host|Connection refused|Temporary failure)`), "the plugin $1"},
	{"maven", regexp.MustCompile(`(?:wget|curl): .*(?:[Uu]nable to resolve|[Cc]ould not resolve|[Ff]ailed to connect)|Failed to fetch .*apache-maven`), "Maven itself, which its wrapper has to download"},
	{"maven", regexp.MustCompile(`\[ERROR\].*(?:No toolchain (?:found|matched)|Cannot find matching toolchain definitions)`), "a Java toolchain that the build names"},

	{"gradle", regexp.MustCompile(`JAVA_HOME is (?:not set|set to an invalid directory)`), "a Java development kit (JAVA_HOME)"},
	{"gradle", regexp.MustCompile(`^Exception in thread "main" java\.(?:net\.\w+|io\.IO)Exception`), "Gradle itself, which its wrapper has to download"},
	{"gradle", regexp.MustCompile(`No cached version of (\S+) available for offline mode`), "the dependency $1"},
	{"gradle", regexp.MustCompile(`Unsupported class file major version (\d+)|Could not determine java version|is not supported by this version of Gradle|Gradle requires JVM`), "a Java version that this Gradle runs on"},
	{"gradle", regexp.MustCompile(`(?:No matching toolchains found|Cannot find a Java installation|No locally installed toolchains match)`), "a Java toolchain that the build names"},
	{"gradle", regexp.MustCompile(`SDK location not found`), "the Android SDK"},
	{"gradle", regexp.MustCompile(`^ *> Could not (?:GET|HEAD) '[^']+'|Plugin \[id: '[^']+'.*\] was not found in any of the following sources`), "a dependency that has to be downloaded"},

	{"cargo", regexp.MustCompile(`toolchain '([^']+)' is not installed`), "the Rust toolchain $1"},
	{"cargo", regexp.MustCompile(`requires rustc (\d[\d.]*)`), "Rust $1 or newer"},
	{"cargo", regexp.MustCompile(`rustc \S+ is not supported by|feature .edition\d+. is required`), "a newer Rust"},
	{"cargo", regexp.MustCompile("^error: (?:no matching package named|failed to (?:download|fetch|load source|query replaced source|get `[^`]+` as a dependency|sync)|unable to update|attempting to make an HTTP request|checksum for)"), "a crate that has to be downloaded"},
	{"cargo", regexp.MustCompile("linker `([^`]+)` not found"), "the linker $1"},
	{"cargo", regexp.MustCompile("error: no such command: `(fmt|clippy)`|'cargo-(fmt|clippy)' is not installed"), "cargo $1$2"},

	{"dotnet", regexp.MustCompile(`A compatible (?:\.NET|installed \.NET) SDK (?:for global\.json version \[?([^\]\s:]+)\]? )?(?:from \[[^\]]*\] )?was not found`), ".NET SDK $1"},
	{"dotnet", regexp.MustCompile(`error NETSDK1045: .*targeting (\.NET \S+)`), "an SDK for $1"},
	{"dotnet", regexp.MustCompile(`error NU1301: |Unable to load the service index`), "a package that has to be downloaded"},
	{"dotnet", regexp.MustCompile(`You must install or update \.NET to run this application`), "a .NET runtime"},

	{"bazel", regexp.MustCompile(`could not download Bazel|unable to determine latest version|Error downloading \[|java\.net\.UnknownHostException|Unknown host`), "Bazel itself or a dependency, which has to be downloaded"},

	{"pre-commit", regexp.MustCompile(`An unexpected error has occurred: CalledProcessError:.*|unable to access 'https?://[^']+'`), "a hook that has to be downloaded"},
}

// Missing names what this machine lacks when that, and not the code, is why the command failed, and the line that says so. Without
// network a dependency that was never fetched counts as missing too.
func Missing(in Input) (what, line string, ok bool) {
	root := strings.TrimRight(in.Root, "/")
	all, _ := lines(in.Text)
	if in.Tool == "python" {
		if what := pythonLacks(all); what != "" {
			return shown(what), "", true
		}
	}
	if in.Tool == "pre-commit" {
		if what := hooksLack(all); what != "" {
			return shown(what), "", true
		}
	}
	for _, f := range read(in).found {
		if strings.HasPrefix(f.Key, "test ") {
			return "", "", false // there was what it takes to run tests, whatever else they say they miss
		}
	}
	for _, a := range absent {
		if a.tool != "" && a.tool != in.Tool {
			continue
		}
		if a.tool == "" && !shellGaveUp(in, all) {
			continue
		}
		for _, line := range all {
			m := a.says.FindStringSubmatchIndex(line)
			if m == nil {
				continue
			}
			what := string(a.says.ExpandString(nil, a.what, line, m))
			return shown(stable(what, root)), shown(stable(strings.TrimSpace(line), root)), true
		}
	}
	return "", "", false
}

var makeGone = regexp.MustCompile(`^(?:make|gmake)(?:\[\d+\])?: \*\*\* .* Error 12[67]$`)

// shellGaveUp reports whether the command ended because a program was not found, rather than having mentioned one on
// the way: exit status 126 or 127, or make saying that of its recipe.
func shellGaveUp(in Input, all []string) bool {
	if in.Exit == 126 || in.Exit == 127 {
		return true
	}
	for _, line := range all[max(0, len(all)-20):] {
		if makeGone.MatchString(line) {
			return true
		}
	}
	return false
}

var noHook = regexp.MustCompile("^Executable `([^`]+)` not found$")

// hooksLack names a program when for want of programs, and nothing else, hooks failed.
func hooksLack(all []string) string {
	failed, gone, name := 0, 0, ""
	for _, line := range all {
		if m := hookFailed.FindStringSubmatch(line); m != nil && m[2] == "Failed" {
			failed++
		} else if m := noHook.FindStringSubmatch(line); m != nil {
			gone++
			name = m[1]
		}
	}
	if gone < failed {
		return ""
	}
	return name
}
