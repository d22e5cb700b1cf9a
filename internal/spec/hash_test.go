package spec

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestChangeHash moves every field of a Campaign, found by reflection, and says for each whether the hash moves with it.
func TestChangeHash(t *testing.T) {
	moves := []string{
		"Change.Prompt", "Change.Agent", "Change.Model", "Change.Reverts", "Change.Script.Content", "Change.Paths", "Change.Env", "Change.Egress",
		"Verify.Auto", "Verify.Run", "Verify.Timeout", "Guard.Allow", "Judge.Mode", "Judge.Model", "Judge.Prompt", "Limits.Rounds",
	}
	stays := []string{
		"Metadata.Name", "Metadata.Owner", "Metadata.Description",
		"Select.Where", "Select.Contains.Pattern", "Select.Contains.Paths", "Select.Files", "Select.Include", "Select.Exclude",
		"Change.Script.Path",
		"Limits.Turns", "Limits.Wall", "Limits.Attempts", "Limits.Cost", "Limits.TargetCost", "Limits.CampaignCost", "Limits.Memory", "Limits.Parallel",
		"PullRequest.Title", "PullRequest.Body", "PullRequest.Labels", "PullRequest.Reviewers", "PullRequest.Draft",
		"PullRequest.AskOwner", "PullRequest.Batch", "PullRequest.Issue", "PullRequest.Revisions", "PullRequest.RemindAfter", "PullRequest.CloseAfter",
		"Merge.Policy", "Merge.When", "Merge.Evidence", "Merge.Method",
		"Rollout.Waves", "Rollout.Gate.Merged", "Rollout.Gate.MinMerged", "Rollout.Gate.Success", "Rollout.Approval",
		"Rollout.Gate.Checks", "Rollout.Gate.Vetoed", "Rollout.Gate.Reverted", "Rollout.Gate.Deployed", "Rollout.Gate.Soak",
		"Rollout.Order", "Rollout.Schedule", "Rollout.Priority",
		"File", "Raw",
	}
	var paths []string
	var walk func(v reflect.Value, path string, visit func(string, reflect.Value))
	walk = func(v reflect.Value, path string, visit func(string, reflect.Value)) {
		if v.Kind() != reflect.Struct {
			visit(strings.TrimPrefix(path, "."), v)
			return
		}
		for i := range v.NumField() {
			walk(v.Field(i), path+"."+v.Type().Field(i).Name, visit)
		}
	}
	base, err := Parse("c.yaml", []byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	walk(reflect.ValueOf(*base), "", func(path string, _ reflect.Value) { paths = append(paths, path) })
	for _, path := range paths {
		c := *base
		walk(reflect.ValueOf(&c).Elem(), "", func(at string, v reflect.Value) {
			if at != path {
				return
			}
			switch v.Kind() {
			case reflect.String:
				v.SetString(v.String() + "x")
			case reflect.Bool:
				v.SetBool(!v.Bool())
			case reflect.Int, reflect.Int64:
				v.SetInt(v.Int() + 1)
			case reflect.Float64:
				v.SetFloat(v.Float() + 0.1)
			case reflect.Map:
				v.Set(reflect.ValueOf(map[string]string{"A": "1"}))
			case reflect.Slice:
				v.Set(reflect.Append(slicesClone(v), reflect.New(v.Type().Elem()).Elem()))
			default:
				t.Fatalf("%s is a %s", at, v.Kind())
			}
		})
		moved := c.ChangeHash() != base.ChangeHash()
		switch {
		case slices.Contains(moves, path):
			if !moved {
				t.Errorf("%s influences a diff, but not the hash", path)
			}
		case slices.Contains(stays, path):
			if moved {
				t.Errorf("%s moves the hash", path)
			}
		default:
			t.Errorf("%s is new: say here whether it influences a diff", path)
		}
	}
}

func slicesClone(v reflect.Value) reflect.Value {
	return reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v)
}

func TestChangeHashIgnoresHowItIsWritten(t *testing.T) {
	read := func(change string) string {
		c, err := Parse("c.yaml", []byte("apiVersion: gaggle/v1\nkind: Campaign\nmetadata: {name: s}\nselect: {where: 'true'}\nchange: "+change+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		return c.ChangeHash()
	}
	one := read("{prompt: p, paths: [a, b], env: {A: 1, B: 2}}")
	if one != read("\n  env: {B: '2', A: '1'} # turned round\n  paths:\n  - b\n  - a\n  prompt: |-\n    p") {
		t.Error("order and style move the hash")
	}
	if read("{prompt: p, env: {A: 1}}") == read("{prompt: p, egress: [A], env: {B: 1}}") {
		t.Error("two changes have one hash")
	}
}
