package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"gaggle/internal/fleet"
)

// Caches are the folders in which toolchains keep what they fetched and built, so that a build works without a network.
//
// Nothing that a repository's code could write is ever read by another repository's run. So there are two kinds. Shared
// caches hold what toolchains fetched, or made without running any of it; only WarmUp may write them, in runs that execute
// no code of a repository. Private caches are those of toolchains whose fetching runs code that the repository names. Base
// may write them, in runs of the repository's own unchanged code. The change under way sees all of them read-only.
type Caches struct {
	Dir string // on the host; made when first needed
}

// cache is one toolchain's folder, below CacheDir inside.
type cache struct {
	name    string
	private bool
	folders []string                           // what a tool would make and cannot in a cache that is read-only
	env     func(dir string) map[string]string // always
	offline func(dir string) map[string]string // where nothing is fetched, so that nobody waits for a network
	online  func(dir string) map[string]string // where something is: for tools that do not read HTTPS_PROXY
}

// toolCaches is the one table of caches.
func toolCaches() []cache {
	one := func(name string) func(string) map[string]string {
		return func(dir string) map[string]string { return map[string]string{name: dir} }
	}
	words := func(pairs ...string) func(string) map[string]string {
		return func(string) map[string]string {
			env := map[string]string{}
			for i := 0; i < len(pairs); i += 2 {
				env[pairs[i]] = pairs[i+1]
			}
			return env
		}
	}
	return []cache{
		// Go works with both of its caches read-only, and what it compiles is found by the content of its sources.
		// GOTOOLCHAIN=local makes a version that is not here an error at once.
		{name: "go-mod", env: func(dir string) map[string]string {
			return map[string]string{"GOMODCACHE": dir, "GOTOOLCHAIN": "local"}
		}, offline: words("GOPROXY", "off", "GOSUMDB", "off")},
		// Without goindex=0, a package that nobody compiled yet is not found where the cache cannot be written.
		{name: "go-build", env: one("GOCACHE"), folders: goBuildFolders(), offline: words("GODEBUG", "goindex=0")},
		{name: "npm", env: func(dir string) map[string]string {
			return map[string]string{"npm_config_cache": dir, "npm_config_audit": "false", "npm_config_fund": "false",
				"npm_config_update_notifier": "false", "npm_config_logs_max": "0"}
		}, offline: words("npm_config_offline", "true")},
		{name: "yarn", env: one("YARN_CACHE_FOLDER")},
		{name: "pip", folders: []string{"http", "wheels"}, env: func(dir string) map[string]string {
			return map[string]string{"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_CACHE_DIR": dir + "/http", "PIP_FIND_LINKS": dir + "/wheels"}
		}, offline: words("PIP_NO_INDEX", "1", "PIP_NO_CACHE_DIR", "1")},
		{name: "cargo", env: one("CARGO_HOME"), offline: words("CARGO_NET_OFFLINE", "true")},
		{name: "maven", private: true, env: func(dir string) map[string]string {
			return map[string]string{"MAVEN_OPTS": "-Dmaven.repo.local=" + dir}
		}, offline: words("MAVEN_ARGS", "--offline"), online: func(dir string) map[string]string {
			return map[string]string{"MAVEN_OPTS": "-Dmaven.repo.local=" + dir + javaProxy}
		}},
		// Gradle must be able to write its home; it knows a second folder that it only reads.
		{name: "gradle", private: true, env: one("GRADLE_USER_HOME"), offline: func(dir string) map[string]string {
			return map[string]string{"GRADLE_RO_DEP_CACHE": dir + "/caches", "GRADLE_USER_HOME": HomeDir + "/.gradle"}
		}, online: words("GRADLE_OPTS", strings.TrimSpace(javaProxy))},
		{name: "nuget", private: true, env: func(dir string) map[string]string {
			return map[string]string{"NUGET_PACKAGES": dir, "DOTNET_CLI_HOME": "/tmp", "DOTNET_CLI_TELEMETRY_OPTOUT": "1", "DOTNET_NOLOGO": "1"}
		}},
		{name: "pre-commit", private: true, env: one("PRE_COMMIT_HOME")},
	}
}

// javaProxy are the options by which a Java program goes through the door.
const javaProxy = " -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=8787 -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=8787"

// Access is what a run needs to use caches.
type Access struct {
	Mounts []Mount
	Env    map[string]string
}

// Give adds the access to a spec. What the spec says about the environment wins.
func (a Access) Give(spec *Spec) {
	spec.Mounts = append(spec.Mounts[:len(spec.Mounts):len(spec.Mounts)], a.Mounts...)
	env := maps.Clone(a.Env)
	maps.Copy(env, spec.Env)
	spec.Env = env
}

// WarmUp lets a run fill the shared caches. It must execute no code of a repository. So `go mod download`, and also
// `go vet ./...` and `go test -run '^$' -exec true ./...`, which only compile; but `npm ci --ignore-scripts`, `cargo fetch`
// and `pip download --only-binary :all:` in a folder that holds nothing but the files that name the dependencies: an
// .npmrc or .cargo/config.toml beside them may name programs to start. Private caches are not there.
func (c Caches) WarmUp() (Access, error) {
	return c.access("", true, false)
}

// Base lets a run of a repository's unchanged code fill the repository's private caches and use the shared ones.
func (c Caches) Base(repository string) (Access, error) {
	return c.access(repository, false, true)
}

// Attempt lets a run use the caches of its repository and the shared ones, and change none.
func (c Caches) Attempt(repository string) (Access, error) {
	return c.access(repository, false, false)
}

// Forget removes the private caches of a repository. No run may be using them.
func (c Caches) Forget(repository string) error {
	return Remove(c.private(repository))
}

func (c Caches) private(repository string) string {
	sum := sha256.Sum256([]byte(repository))
	return filepath.Join(c.Dir, "private", hex.EncodeToString(sum[:12]))
}

func (c Caches) access(repository string, shared, private bool) (Access, error) {
	a := Access{Env: map[string]string{}}
	for _, cache := range toolCaches() {
		host, writable := filepath.Join(c.Dir, "shared", cache.name), shared
		if cache.private {
			if repository == "" {
				continue
			}
			host, writable = filepath.Join(c.private(repository), cache.name), private
		}
		// Readable by everybody, below a data folder that is not: see Mount.
		if err := prepare(host, cache.folders); err != nil {
			return Access{}, fleet.Errorf(fleet.CodeSandbox, "sandbox: making a cache: %w", err)
		}
		inside := CacheDir + "/" + cache.name
		a.Mounts = append(a.Mounts, Mount{Host: host, Inside: inside, Writable: writable})
		maps.Copy(a.Env, cache.env(inside))
		more := cache.offline
		if writable { // through the door, if there is one
			more = cache.online
		}
		if more != nil {
			maps.Copy(a.Env, more(inside))
		}
	}
	if shared {
		a.Env["GOFLAGS"] = "-modcacherw -buildvcs=false" // a cache that can be removed, and no git started
	}
	return a, nil
}

// prepare makes a cache on the host. A cache that is there costs one look.
func prepare(dir string, folders []string) error {
	last := dir
	if len(folders) > 0 {
		last = filepath.Join(dir, folders[len(folders)-1])
	}
	if info, err := os.Stat(last); err == nil && info.IsDir() {
		return nil
	}
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chmod(dir, 0o755)); err != nil {
		return err
	}
	for _, f := range folders {
		if err := os.Mkdir(filepath.Join(dir, f), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// goBuildFolders are those of Go's build cache, without which it does not start.
func goBuildFolders() []string {
	names := make([]string, 256)
	for i := range names {
		names[i] = fmt.Sprintf("%02x", i)
	}
	return names
}
