package ops

import (
	"os"
	"path/filepath"
	"regexp"

	"gaggle/internal/spec"
)

// FileKind is what a file is meant as: Owners, Repository, Identity or Forges, by its name or by its kind; otherwise a Campaign.
func FileKind(file string) string {
	switch filepath.Base(file) {
	case spec.OwnersFile:
		return "Owners"
	case spec.RepoFile:
		return "Repository"
	case spec.IdentityFile:
		return "Identity"
	case spec.ForgesFile:
		return "Forges"
	}
	if data, err := os.ReadFile(file); err == nil {
		if m := fileKind.FindSubmatch(data); m != nil {
			return string(m[1])
		}
	}
	return "Campaign"
}

var fileKind = regexp.MustCompile(`(?m)^kind:[ \t]*["']?(Owners|Repository|Identity|Forges)["']?[ \t]*(?:#.*)?\r?$`)

// ReadRepoSettings reads and checks a repository's settings. The error holds everything wrong with them.
func ReadRepoSettings(file string) (*spec.RepoConfig, error) {
	return readFile(file, spec.ParseRepository)
}

// ReadIdentity reads and checks an identity.yaml. The error holds everything wrong with it.
func ReadIdentity(file string) (*spec.Identity, error) { return readFile(file, spec.ParseIdentity) }

// ReadForgesFile reads and checks a forges.yaml, and no credential. The error holds everything wrong with it.
func ReadForgesFile(file string) (map[string]spec.Forge, error) {
	all, err := readFile(file, spec.ParseForges)
	if err != nil {
		return nil, err
	}
	return *all, nil
}

func readFile[T any](file string, parse func(string, []byte) (T, error)) (*T, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, unreadable(file, err)
	}
	read, err := parse(file, data)
	if err != nil {
		return nil, err
	}
	return &read, nil
}
