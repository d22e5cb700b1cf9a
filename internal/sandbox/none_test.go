package sandbox_test

import (
	"bytes"
	"testing"

	"gaggle/internal/sandbox"
)

func TestNoneRuns(t *testing.T) {
	sb, err := sandbox.New(t.Context(), sandbox.Config{Kind: sandbox.None})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	r, err := sb.Run(t.Context(), sandbox.Spec{Argv: []string{"sh", "-c", "pwd; echo $AT; exit 3"}, Work: t.TempDir(),
		Env: map[string]string{"AT": "/srv/work/a"}, Stdout: &out})
	if err != nil || r.ExitCode != 3 {
		t.Fatalf("%+v %v\n%s", r, err, out.String())
	}
}
