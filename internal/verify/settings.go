package verify

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
)

// Settings are what a campaign and a repository ask for beside, or instead of, what Detect finds.
type Settings struct {
	Auto       bool          // whether to detect
	Campaign   []string      // the campaign's own commands, run by sh in the component's folder
	Repository []string      // the commands of the repository's .gaggle.yaml, likewise
	Timeout    time.Duration // for each verifier; defaults to DefaultTimeout
	Offline    bool          // ask the build tools not to try the network, which they would wait for in vain
}

// For lists the verifiers of the component at a folder: what Detect finds, then the repository's commands, then the campaign's. A
// command that is already there is not listed twice.
func For(fsys fs.FS, dir string, s Settings) []Verifier {
	var all []Verifier
	if s.Auto {
		all = Detect(fsys, dir)
	}
	all = append(all, Commands(".gaggle.yaml", dir, s.Repository, all)...)
	all = append(all, Commands("campaign", dir, s.Campaign, all)...)
	for i := range all {
		v := &all[i]
		v.Timeout = cmpOr(s.Timeout, DefaultTimeout)
		v.Argv = slices.Clone(v.Argv)
		for k, arg := range v.Argv {
			if strings.HasPrefix(arg, "-timeout=") && v.Tool == "go" {
				v.Argv[k] = goTimeout(v.Timeout)
			}
		}
		if s.Offline {
			offline(v)
		}
	}
	return all
}

// Commands makes verifiers of shell commands. Those that a verifier among have runs already are left out. They share the steps that detected
// verifiers of the folder need, for they run the same tools.
func Commands(source, dir string, run []string, have []Verifier) []Verifier {
	dir = clean(dir)
	taken := map[string]bool{}
	names := map[string]bool{}
	var setup, warm []Step
	var first []string
	for _, v := range have {
		taken[clean(v.Dir)+"\x00"+strings.Join(v.Argv, " ")] = true
		taken[clean(v.Dir)+"\x00"+v.Name] = true
		names[v.Name] = true
	}
	setup, warm = SetupSteps(have), WarmSteps(have)
	for _, v := range have {
		for _, p := range v.Path {
			if !slices.Contains(first, p) {
				first = append(first, p)
			}
		}
	}
	for i := range setup {
		setup[i].Optional = true // the command may need none of it
	}
	var all []Verifier
	for _, command := range run {
		command = strings.TrimSpace(command)
		if command == "" || taken[dir+"\x00"+strings.TrimSuffix(command, " ./...")] || taken[dir+"\x00"+command] {
			continue
		}
		taken[dir+"\x00"+command] = true
		name := shorten(strings.Join(strings.Fields(command), " "), 60)
		for names[name] {
			name += " (" + source + ")"
		}
		names[name] = true
		all = append(all, Verifier{Name: name, Kind: Test, Source: source, Tool: "shell", Dir: dir, Argv: []string{"sh", "-c", command}, Setup: setup, Warm: warm, Path: first, Timeout: DefaultTimeout})
	}
	return all
}

// offline adds what keeps a tool from trying the network, which would end in a long wait and a worse message.
func offline(v *Verifier) {
	env := maps.Clone(v.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, offlineEnvironment)
	v.Env = env
	v.Setup = slices.Clone(v.Setup)
	for i := range v.Setup {
		own := maps.Clone(offlineEnvironment)
		maps.Copy(own, v.Setup[i].Env)
		v.Setup[i].Env = own
	}
	if flag := offlineFlag[v.Tool]; flag != "" {
		v.Argv = append(v.Argv, flag)
	}
}

// The ways in which tools are told that there is no network.
var (
	offlineEnvironment = map[string]string{"GOPROXY": "off", "CARGO_NET_OFFLINE": "true", "npm_config_offline": "true", "YARN_ENABLE_NETWORK": "false", "PIP_NO_INDEX": "1"}
	offlineFlag        = map[string]string{"maven": "-o", "gradle": "--offline"}
)
