package verify

import (
	"maps"
	"slices"
	"strings"
)

// npmCache is a shell prologue for a cache that is mounted read-only: npm writes the index of a cache that it only reads, so
// it gets an index of its own before the contents of the other.
const npmCache = `if test -d "$npm_config_cache" && ! test -w "$npm_config_cache"; then own="${TMPDIR:-/tmp}/npm-cache"; mkdir -p "$own/_cacache"; ` +
	`if test -d "$npm_config_cache/_cacache" && ! test -e "$own/_cacache/content-v2"; then cp -r "$npm_config_cache/_cacache/index-v5" "$own/_cacache/" && ln -s "$npm_config_cache/_cacache/content-v2" "$own/_cacache/"; fi; ` +
	`npm_config_cache="$own"; export npm_config_cache; fi; `

// keepSetup is the variable by which an agent's own runs keep what an earlier setup made. In the runs that count it is unset: whatever
// lies where a setup puts its result came with the diff, and goes.
const keepSetup = "GAGGLE_KEEP_SETUP"

// fresh makes the script of a setup step: unless it is kept, what it fills is removed first.
func fresh(script string, fills ...string) []string {
	there := "test -e " + strings.Join(fills, " || test -e ")
	return []string{"sh", "-c", `if test -n "$` + keepSetup + `" && { ` + there + `; }; then exit 0; fi; rm -rf ` + strings.Join(fills, " ") + `; ` + script}
}

// kept returns verifiers whose setup steps keep what is there.
func kept(verifiers []Verifier) []Verifier {
	verifiers = slices.Clone(verifiers)
	for i := range verifiers {
		v := &verifiers[i]
		v.Setup = slices.Clone(v.Setup)
		for k := range v.Setup {
			env := map[string]string{keepSetup: "1"}
			maps.Copy(env, v.Setup[k].Env)
			v.Setup[k].Env = env
		}
	}
	return verifiers
}
