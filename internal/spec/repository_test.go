package spec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const settings = `
optOut: false
campaigns: {exclude: [ioutil-to-io]}
verify: {auto: false, run: [make check]}
components:
  services/billing/:
    optOut: frozen until the audit is over
  services/web:
    campaigns: {exclude: [node-22]}
    verify: {run: [npm test]}
`

func TestRepositorySettings(t *testing.T) {
	c, err := ParseRepository(RepoFile, []byte(settings))
	if err != nil {
		t.Fatal(err)
	}
	want := RepoConfig{
		Settings: Settings{Campaigns: Campaigns{Exclude: []string{"ioutil-to-io"}}, Verify: RepoVerify{Manual: true, Run: []string{"make check"}}},
		Components: map[string]Settings{
			"services/billing": {OptOut: "frozen until the audit is over"},
			"services/web":     {Campaigns: Campaigns{Exclude: []string{"node-22"}}, Verify: RepoVerify{Run: []string{"npm test"}}},
		},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	if err := validate(t, RepositorySchema(), []byte(settings)); err != nil {
		t.Error(err)
	}
	for path, refusals := range map[string][3]string{
		".":                   {RepoFile + " excludes the campaign ioutil-to-io", "", ""},
		"services/billing":    {"frozen until the audit is over", "frozen until the audit is over", "frozen until the audit is over"},
		"services/web":        {RepoFile + " excludes the campaign ioutil-to-io", RepoFile + " excludes the campaign node-22", ""},
		"services/billing/db": {"frozen until the audit is over", "frozen until the audit is over", "frozen until the audit is over"},
		"services/billing2":   {RepoFile + " excludes the campaign ioutil-to-io", "", ""},
	} {
		s := c.For(path)
		for i, campaign := range []string{"ioutil-to-io", "node-22", "other"} {
			if got := s.Refuses(campaign); got != refusals[i] {
				t.Errorf("%s, %s: %q, want %q", path, campaign, got, refusals[i])
			}
		}
	}
	if got := c.For("services/web").Verify; got.Manual || got.Run[0] != "npm test" {
		t.Errorf("its own verifiers replace the repository's: %+v", got)
	}
	if got := c.For("services/billing").Verify; !got.Manual || got.Run[0] != "make check" {
		t.Errorf("the repository's verifiers hold where there are none: %+v", got)
	}
	if diff := cmp.Diff(want.Campaigns.Exclude, c.Campaigns.Exclude); diff != "" {
		t.Error("For changed what it was asked about:", diff)
	}
}

func TestRepositoryOptOut(t *testing.T) {
	for data, want := range map[string]string{
		"":                         "",
		"# nothing yet\n":          "",
		"optOut: true":             ".gaggle.yaml opts out",
		"optOut: True":             ".gaggle.yaml opts out",
		"optOut: false":            "",
		"optOut: 'we  are\n busy'": "we are busy",
		"kind: Repository\napiVersion: gaggle/v1\noptOut: true": ".gaggle.yaml opts out",
		"optOut: yes please":                                     "yes please",
		"optOut:":                                                "!optOut has no value",
		"optOut: [x]":                                            "!optOut is text, not a list",
		"optout: true":                                           "!unknown key \"optout\"",
		"kind: Campaign":                                         "!kind cannot be",
		"campaigns: {exclude: x}":                                "!campaigns.exclude is a list",
		"components: {/abs: {optOut: true}}":                     "!a component's path is relative",
		"components: {../x: {optOut: true}}":                     "!cannot lead out",
		"components: {'a*': {optOut: true}}":                     "!is not a glob",
		"components: {a: {optOut: true}, a/: {}}":                "!stands twice",
		"components: {a: {components: {b: {}}}}":                 "!unknown key",
		"components: {a: {verify: {run: [1]}}}":                  "!.gaggle.yaml:1:33: verify.run is text",
		"verify: {run: [\"" + strings.Repeat("a", 9000) + "\"]}": "!at most 8192",
		"a: &a [x]\nb: *a":                                       "!anchors",
	} {
		c, err := ParseRepository(RepoFile, []byte(data))
		if fault, bad := strings.CutPrefix(want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), fault) {
				t.Errorf("%s: %+v, %v; want %q", clip(data), c, err, fault)
			}
			continue
		}
		if err != nil || c.OptOut != want {
			t.Errorf("%s: %+v, %v; want %q", clip(data), c, err, want)
		}
	}
}
