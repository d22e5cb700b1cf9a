// Package version compares version numbers as the ecosystems write them: Go, npm, Maven, Python, Rust, Ruby,
// .NET, PHP and container tags. It knows when it cannot tell. Start with Older.
package version
