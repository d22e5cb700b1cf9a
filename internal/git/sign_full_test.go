//go:build full

package git_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/git"
)

func TestCommitsSignedWithAnSSHKey(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen is needed: %v\n%s", err, out)
	}
	src := newSource(t, map[string]string{"a.txt": "a\n"})
	store, repo := newStore(t), src.repo()
	spec := spec
	spec.Base = refresh(t, store, repo).Commit
	spec.Sign = &git.Signing{Format: "ssh", Key: key}
	sha, err := store.Commit(t.Context(), repo, spec)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := store.Commit(t.Context(), repo, spec); err != nil || again != sha {
		t.Fatalf("signed again it is %s, %v; want %s", again, err, sha)
	}
	if err := store.Push(t.Context(), repo, sha, "gaggle/x", ""); err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	signers := filepath.Join(t.TempDir(), "signers")
	if err := os.WriteFile(signers, []byte(spec.Author.Email+" "+string(public)), 0o644); err != nil {
		t.Fatal(err)
	}
	src.git("-c", "gpg.ssh.allowedSignersFile="+signers, "verify-commit", "gaggle/x")
	for _, bad := range []*git.Signing{{Format: "ssh", Key: key + "-none"}, {Format: "x509", Key: key}, {Format: "ssh", Key: signers}} {
		spec.Sign = bad
		_, err := store.Commit(t.Context(), repo, spec)
		wantCode(t, err, fleet.CodeSignature)
		if strings.Contains(err.Error(), "PRIVATE") {
			t.Error("the key is in the error")
		}
	}
}
