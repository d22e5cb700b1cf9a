package ops

import (
	"os"
	"path/filepath"
	"regexp"

	"gaggle/internal/spec"
)

// FileKind is what a file is meant as: Owners, Repository or Identity, by its name or by its kind; otherwise a Campaign.
func FileKind(file string) string {
	switch filepath.Base(file) {
	case spec.OwnersFile:
		return "Owners"
	case spec.RepoFile:
		return "Repository"
	case spec.IdentityFile:
		return "Identity"
	}
	if data, err := os.ReadFile(file); err == nil {
		if m := fileKind.FindSubmatch(data); m != nil {
			return string(m[1])
		}
	}
	return "Campaign"
}

var fileKind = regexp.MustCompile(`(?m)^kind:[ \t]*["']?(Owners|Repository|Identity)["']?[ \t]*(?:#.*)?\r?$`)

// ReadRepoSettings reads and checks a repository's settings. The error holds everything wrong with them.
func ReadRepoSettings(file string) (*spec.RepoConfig, error) {
	return readFile(file, spec.ParseRepository)
}

// ReadIdentity reads and checks an identity.yaml. The error holds everything wrong with it.
func ReadIdentity(file string) (*spec.Identity, error) { return readFile(file, spec.ParseIdentity) }

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
