package fleet

import (
	"strings"
	"time"
)

// Repository is one git repository on one forge.
type Repository struct {
	Name          string    `json:"name"`          // unique in the fleet, such as "acme/billing"; slashes allowed
	URL           string    `json:"url"`           // clone URL: file://, ssh, https
	Forge         string    `json:"forge"`         // name of the forge that holds it; "local" for the built-in one
	DefaultBranch string    `json:"defaultBranch"` // such as "main"
	Head          string    `json:"head"`          // commit of the default branch when last looked at; "" when the repository is empty
	Tree          string    `json:"tree"`          // tree of Head
	Archived      bool      `json:"archived,omitempty"`
	OptOut        string    `json:"optOut,omitempty"` // why the repository takes no campaigns (.gaggle.yaml); "" when it takes them
	SyncedAt      time.Time `json:"syncedAt"`
}

// Component is a unit of software with an owner: a Backstage Component, or a whole repository that has no descriptor.
type Component struct {
	Ref         string            `json:"ref"` // "component:namespace/name", lower case kind
	Kind        string            `json:"kind"`
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	Title       string            `json:"title,omitempty"`
	Description string            `json:"description,omitempty"`
	Type        string            `json:"type,omitempty"`      // service, library, website, …
	Lifecycle   string            `json:"lifecycle,omitempty"` // production, experimental, deprecated
	Owner       string            `json:"owner,omitempty"`     // entity reference such as "group:default/payments"; "" when nobody is known
	System      string            `json:"system,omitempty"`
	Repository  string            `json:"repository"`          // Repository.Name
	Path        string            `json:"path"`                // slash-separated, relative to the repository's root; "." for the root
	Language    string            `json:"language,omitempty"`  // the one with the most bytes, go-enry's name
	Languages   []string          `json:"languages,omitempty"` // by bytes, largest first
	Bytes       int64             `json:"bytes,omitempty"`     // of those languages
	Tags        []string          `json:"tags,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	DependsOn   []string          `json:"dependsOn,omitempty"` // entity references
	Provides    []string          `json:"providesApis,omitempty"`
	Consumes    []string          `json:"consumesApis,omitempty"`
	Inferred    bool              `json:"inferred,omitempty"` // true when no descriptor names it
}

// Entity is any other thing that a descriptor names: System, API, Resource, Group, User, Domain.
type Entity struct {
	Ref        string `json:"ref"`
	Kind       string `json:"kind"`
	Title      string `json:"title,omitempty"`
	Owner      string `json:"owner,omitempty"`
	Email      string `json:"email,omitempty"` // Group and User: spec.profile.email
	Repository string `json:"repository"`      // where it is described
	Data       string `json:"-"`               // the document as JSON
}

// Problem is something wrong in a repository that did not stop the sync.
type Problem struct {
	Code       string `json:"code"` // such as "descriptor_invalid"
	Repository string `json:"repository"`
	File       string `json:"file,omitempty"`
	Line       int    `json:"line,omitempty"`   // 1-based; 0 when there is none
	Column     int    `json:"column,omitempty"` // 1-based
	Message    string `json:"message"`
	Hint       string `json:"hint,omitempty"`
}

// Ref builds an entity reference in Backstage's form, "kind:namespace/name", with an empty namespace read as "default".
func Ref(kind, namespace, name string) string {
	if namespace == "" {
		namespace = "default"
	}
	return strings.ToLower(kind) + ":" + strings.ToLower(namespace) + "/" + strings.ToLower(name)
}

// ParseRef reads a reference as people write it ("name", "ns/name", "kind:name", "kind:ns/name") and
// fills in the defaults given.
func ParseRef(text, defaultKind, defaultNamespace string) (kind, namespace, name string) {
	kind, namespace, name = defaultKind, defaultNamespace, text
	if before, after, ok := strings.Cut(name, ":"); ok {
		kind, name = before, after
	}
	if before, after, ok := strings.Cut(name, "/"); ok {
		namespace, name = before, after
	}
	if namespace == "" {
		namespace = "default"
	}
	return strings.ToLower(kind), strings.ToLower(namespace), strings.ToLower(name)
}
