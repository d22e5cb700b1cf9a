package version

import "testing"

func TestOlder(t *testing.T) {
	for _, tc := range []struct {
		new, old string
		want     bool
	}{
		{"v1.8.4", "v1.10.0", true},
		{"v1.10.0", "v1.8.4", false},
		{"1.21", "1.24.0", true},
		{"1.24", "1.24.0", false},
		{"go1.22.1", "go1.22.3", true},
		{"v2.0.0+incompatible", "v2.0.0", false},
		{"v0.0.0-20230101000000-abcdefabcdef", "v0.0.0-20240101000000-abcdefabcdef", true},
		{"v0.0.0-20240101000000-abcdefabcdef", "v0.0.0-20230101000000-abcdefabcdef", false},
		{"v1.2.3", "v1.2.4-0.20240101000000-abcdefabcdef", true},
		{"^17.0.2", "^18.3.1", true},
		{"^18.3.1", "^17.0.2", false},
		{"~1.2.0", "^1.2.0", false},
		{"*", "^1.2.0", false},
		{"latest", "1.2.0", false},
		{"^14 || ^16", "^16", false},
		{">=16", ">=20", true},
		{">=1.2,<2.0", ">=2.0", true},
		{"<2.0", ">=2.0", true},
		{">=2.0,<3.0", ">=2.0", false},
		{"==1.10.15", "==2.7.1", true},
		{"2.0.0rc1", "2.0.0", true},
		{"2.0.0", "2.0.0rc1", false},
		{"2.0.post1", "2.0", false},
		{"1!1.0", "2024.1", false},
		{"31.1-jre", "33.3.0-jre", true},
		{"31.1-android", "31.1-jre", false},
		{"5.0.0.Final", "5.0.0.CR1", false},
		{"1.0.0-SNAPSHOT", "1.0.0", true},
		{"1.0-M1", "1.0-alpha-2", false},
		{"[1.0,2.0)", "[1.5,)", true},
		{"18-alpine", "22-alpine", true},
		{"22-slim", "22-alpine", false},
		{"3.12-slim-bookworm", "3.9", false},
		{"~> 6.1.0", "~> 7.1.0", true},
		{"8.0.1-preview.2", "8.0.0", false},
		{"$(Version3)", "13.0.1", false},
		{"1.0.0-beta2-18618-05", "1.0.0-weird-63127", false},
		{"abcdef", "1.2.3", false},
		{"", "", false},
	} {
		if got := Older(tc.new, tc.old); got != tc.want {
			t.Errorf("Older(%q, %q) = %v", tc.new, tc.old, got)
		}
	}
}

func FuzzOlder(f *testing.F) {
	f.Add("1.2.3", "v1.2.4-rc.1")
	f.Fuzz(func(t *testing.T, a, b string) {
		Older(a, b)
		if v, ok := Parse(a); ok {
			if c, known := Compare(v, v); known && c != 0 {
				t.Errorf("%q differs from itself", a)
			}
		}
	})
}
