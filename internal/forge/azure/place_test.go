package azure_test

import (
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/forge/azure"
)

func TestHolds(t *testing.T) {
	const dev, old, server = "https://dev.azure.com/acme", "https://acme.visualstudio.com", "https://tfs.example.com:8443/tfs/DefaultCollection"
	for clone, want := range map[string]string{
		"https://dev.azure.com/acme/Some%20Project/_git/some%20repo":           dev + " " + old,
		"https://acme@dev.azure.com/acme/project/_git/repo":                    dev + " " + old,
		"https://dev.azure.com/ACME/_git/repo":                                 dev + " " + old,
		"https://acme.visualstudio.com/project/_git/repo":                      dev + " " + old,
		"https://acme.visualstudio.com/DefaultCollection/project/_git/repo":    dev + " " + old,
		"https://acme.visualstudio.com/_git/repo":                              dev + " " + old,
		"git@ssh.dev.azure.com:v3/acme/Some%20Project/repo":                    dev + " " + old,
		"acme@vs-ssh.visualstudio.com:v3/acme/project/repo":                    dev + " " + old,
		"ssh://git@ssh.dev.azure.com:22/v3/acme/project/repo":                  dev + " " + old,
		"https://tfs.example.com:8443/tfs/DefaultCollection/project/_git/repo": server,
		"https://me@tfs.example.com:8443/tfs/DefaultCollection/_git/repo":      server,
		"ssh://tfs.example.com:22/tfs/DefaultCollection/project/_git/repo":     server,
		"https://dev.azure.com/other/project/_git/repo":                        "",
		"https://other.visualstudio.com/project/_git/repo":                     "",
		"https://tfs.example.com:8443/tfs/Other/project/_git/repo":             "",
		"https://tfs.example.com:8443/project/_git/repo":                       "",
		"https://dev.azure.com/acme/project/deep/_git/repo":                    "",
		"https://dev.azure.com/acme/../_git/repo":                              "",
		"https://dev.azure.com/acme/project/_git/":                             "",
		"https://dev.azure.com.example.com/acme/project/_git/repo":             "",
		"https://evilacme.visualstudio.com.example.com/project/_git/repo":      "",
		"git@ssh.dev.azure.com:v3/acme/project":                                "",
		"https://github.com/acme/repo":                                         "",
		"acme":                                                                 "",
		"":                                                                     "",
	} {
		got := ""
		for _, site := range []string{dev, old, server} {
			if azure.Holds(site, clone) {
				if got != "" {
					got += " "
				}
				got += site
			}
		}
		if got != want {
			t.Errorf("%s: held by %q, want %q", clone, got, want)
		}
	}
	for _, bad := range []string{"", "https://dev.azure.com", "https://dev.azure.com/acme/project", "https://tfs.example.com", "dev.azure.com/acme", "http://tfs.example.com/tfs/c", "https://user:pw@tfs.example.com/tfs/c"} {
		if _, err := azure.New(azure.Config{URL: bad}); fleet.CodeOf(err) != fleet.CodeInvalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, good := range []string{dev, dev + "/", old, server} {
		if _, err := azure.New(azure.Config{URL: good}); err != nil || len(azure.Hosts(good)) == 0 {
			t.Errorf("%q: %v", good, err)
		}
	}
}
