//go:build full

package publish_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gaggle/internal/fleet"
	"gaggle/internal/forge/simulator"
	"gaggle/internal/git"
	"gaggle/internal/publish"
)

func need(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("missing part: %s: %v\n%s", name, err, out)
	}
	return string(out)
}

// sshKey makes a key of a type and returns its file.
func sshKey(t *testing.T, kind, passphrase string) string {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key")
	need(t, nil, "ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", key)
	return key
}

// A signed commit says who made it, and is found again after a crash whether or not the same key would sign it in the same way.
func TestSignedCommits(t *testing.T) {
	author := git.Identity{Name: "Acme Gaggle", Email: "gaggle@acme.example"}
	for name, make := range map[string]func(t *testing.T, s *stage) *git.Signing{
		"ed25519": func(t *testing.T, s *stage) *git.Signing { return signers(t, s, sshKey(t, "ed25519", "")) },
		"ecdsa":   func(t *testing.T, s *stage) *git.Signing { return signers(t, s, sshKey(t, "ecdsa", "")) },
		"rsa":     func(t *testing.T, s *stage) *git.Signing { return signers(t, s, sshKey(t, "rsa", "")) },
		"openpgp": func(t *testing.T, s *stage) *git.Signing {
			home, err := os.MkdirTemp("", "gpg") // short: the agent's socket lies in it
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(home) })
			env := []string{"HOME=" + home, "GNUPGHOME="}
			t.Cleanup(func() { need(t, env, "gpgconf", "--kill", "gpg-agent") })
			if err := os.Mkdir(filepath.Join(home, ".gnupg"), 0o700); err != nil {
				t.Fatal(err)
			}
			env = []string{"HOME=" + home, "GNUPGHOME=" + filepath.Join(home, ".gnupg")}
			need(t, env, "gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", "--quick-generate-key", author.Name+" <"+author.Email+">", "rsa2048", "sign", "never")
			s.env = env
			return &git.Signing{Format: "openpgp", Key: author.Email, Home: home}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "gitea", simulator.Faults{})
			s.cfg.Author, s.cfg.Sign = author, make(t, s)
			s.pub = publish.New(s.cfg)
			if how, err := publish.TrySigning(t.Context(), author, s.cfg.Sign); err != nil || !strings.HasPrefix(how, "signed with the ") {
				t.Fatalf("%q, %v", how, err)
			}
			s.trip = func(string, bool) error { return errCrash }
			if _, err := s.pub.Publish(t.Context(), s.in); !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			s.trip = nil
			pushed := s.Tip(t, branch)
			first := s.publish()
			s.record(first)
			if first.Head != pushed {
				t.Errorf("pushed as %s, then as %s", pushed, first.Head)
			}
			s.in.Revision, s.in.Onto, s.in.Diff = true, first.Head, edit("one", "UNO")
			if out := s.publish(); out.Head == first.Head || s.publish().Head != out.Head || s.pulls() != 1 {
				t.Errorf("a revision: %+v", out)
			}
			for _, ref := range []string{branch, branch + "~1"} {
				s.plain("verify-commit", ref)
				if by := strings.TrimSpace(s.plain("log", "-1", "--format=%an <%ae> %cn <%ce>", ref)); by != "Acme Gaggle <gaggle@acme.example> Acme Gaggle <gaggle@acme.example>" {
					t.Errorf("%s is by %s", ref, by)
				}
			}
		})
	}
}

// signers has git on the stage trust the key.
func signers(t *testing.T, s *stage, key string) *git.Signing {
	t.Helper()
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "signers")
	if err := os.WriteFile(file, append([]byte("gaggle@acme.example "), public...), 0o600); err != nil {
		t.Fatal(err)
	}
	s.plain("config", "gpg.ssh.allowedSignersFile", file)
	return &git.Signing{Format: "ssh", Key: key}
}

func TestKeysThatCannotSign(t *testing.T) {
	public := sshKey(t, "ed25519", "") + ".pub"
	open := sshKey(t, "ed25519", "")
	for _, err := range []error{os.Chmod(public, 0o600), os.Chmod(open, 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for what, c := range map[string]struct{ file, want, hint string }{
		"locked":  {sshKey(t, "ed25519", "secret"), "has a passphrase", "ssh-keygen"},
		"public":  {public, "is no private ssh key", "without .pub"},
		"gone":    {public + "x", "there is no file", ""},
		"to read": {open, "others may read", "chmod 600"},
	} {
		_, err := publish.TrySigning(t.Context(), publish.DefaultAuthor(), &git.Signing{Format: "ssh", Key: c.file})
		if fleet.CodeOf(err) != fleet.CodeSignature || !strings.Contains(err.Error(), c.want) || fleet.HintOf(err) == "" || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: %v (%s)", what, err, fleet.HintOf(err))
		}
	}
	if _, err := publish.TrySigning(t.Context(), publish.DefaultAuthor(), &git.Signing{Format: "openpgp", Key: "nobody@example.com", Home: t.TempDir()}); fleet.CodeOf(err) != fleet.CodeSignature {
		t.Errorf("an OpenPGP key that is not there: %v", err)
	}
}
