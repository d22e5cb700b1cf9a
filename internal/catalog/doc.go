// Package catalog says which repositories and components exist, who owns them and what they depend on.
//
// Discover lists the repositories of a source: a folder of them, or a file that names clone URLs. Sync then reads
// each one's default branch out of its mirror, git objects only, and hands the results out one repository at a
// time, in the order of names, so that memory does not grow with the fleet. A repository whose tree has not
// changed since the last sync is not read again.
//
// Components are described in Backstage's format: documents of catalog-info.yaml at the root and of the files that
// its Locations point to; without any Location, of every catalog-info.yaml in the repository. A component's code
// is the directory of its descriptor, or what its annotation backstage.io/source-location says. A repository in
// which nothing describes a component is one component of its own, owned by whom CODEOWNERS names.
//
// Whatever is wrong in a repository, a broken descriptor, a name that is taken, a mirror that cannot be fetched,
// is a fleet.Problem with file, line and column where there is one; it never stops the sync. Repositories are
// written by strangers: files, documents, aliases, globs and paths are bounded, and nothing leads out of a repository.
package catalog
