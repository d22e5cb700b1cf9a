package ops

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"

	"gaggle/internal/git"
	"gaggle/internal/sandbox"
)

// DoctorInput says what the machine is looked at for.
type DoctorInput struct {
	Data     string
	Database string // as in Config
	Models   Models
	Forges   Forges
	Trouble  error // why Forges could not be read
}

// Examined is one thing that the doctor looked at.
type Examined struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Required bool   `json:"required"` // nothing works without it
	Detail   string `json:"detail"`
	Mend     string `json:"mend,omitempty"`
}

// Doctor says what this machine can do. It changes nothing but a probe file in the data folder.
func Doctor(ctx context.Context, in DoctorInput) []Examined {
	all := []Examined{examineGit(ctx), examineData(in.Data), examineIdentity(ctx, in.Data), examineOwners(ctx, in)}
	for _, c := range sandbox.Probe(ctx) {
		all = append(all, Examined{Name: c.Name, OK: c.OK, Required: !c.OK, Detail: c.Detail, Mend: c.Mend})
	}
	for _, tool := range []string{"go", "node", "npm", "python3", "mvn", "gradle", "cargo", "dotnet", "make"} {
		e := Examined{Name: "toolchain " + tool}
		if at, err := exec.LookPath(tool); err == nil {
			e.OK, e.Detail = true, at
		} else {
			e.Detail = "not on PATH: its verifiers report a missing toolchain"
		}
		all = append(all, e)
	}
	claude := Examined{Name: "agent claude"}
	if at, err := exec.LookPath("claude"); err == nil {
		claude.OK, claude.Detail = true, at
	} else {
		claude.Detail, claude.Mend = "Claude Code is not installed", "npm install -g @anthropic-ai/claude-code"
	}
	models := Examined{Name: "models", OK: in.Models.Ready()}
	if models.OK {
		models.Detail = "agents ask " + in.Models.Model + ", the judge asks " + in.Models.Judge
	} else {
		models.Detail, models.Mend = "no key and no endpoint: script campaigns work, agents and the judge do not", "set ANTHROPIC_API_KEY or OPENAI_API_KEY, or OPENAI_BASE_URL for a local endpoint"
	}
	return append(append(all, claude, models), examineForges(ctx, in)...)
}

func examineGit(ctx context.Context) Examined {
	e := Examined{Name: "git", Required: true, Mend: "install git 2.38 or newer"}
	dir, err := os.MkdirTemp("", "gaggle-doctor-") // not the data folder, which may be what is wrong
	if err != nil {
		e.Detail = err.Error()
		return e
	}
	defer os.RemoveAll(dir)
	s, err := git.Open(git.Config{Dir: filepath.Join(dir, "mirrors"), AllowFile: true})
	if err != nil {
		e.Detail = err.Error()
		return e
	}
	v, err := s.Version(ctx)
	if err != nil {
		e.Detail = err.Error()
		return e
	}
	return Examined{Name: "git", OK: true, Required: true, Detail: v}
}

func examineData(data string) Examined {
	e := Examined{Name: "data folder", Required: true, Detail: data, Mend: "name a folder that you may write with --data DIR"}
	if err := os.MkdirAll(data, 0o700); err != nil {
		e.Detail = err.Error()
		return e
	}
	f, err := os.CreateTemp(data, "doctor-")
	if err != nil {
		e.Detail = err.Error()
		return e
	}
	_ = f.Close()
	if err := os.Remove(f.Name()); err != nil {
		e.Detail = err.Error()
		return e
	}
	return Examined{Name: "data folder", OK: true, Required: true, Detail: data}
}
