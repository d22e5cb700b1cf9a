// Command ci runs every check of the project: build, vet, lint, the race tests with every real part (bubblewrap, PostgreSQL, a
// coding agent from the npm registry), the import floors, generated files, the demo, and each benchmark once.
//
// It installs what is missing when it may (root on Debian or Ubuntu), and otherwise names the part and fails. It says
// what it does, one line a step. Run it as "go run ./ci"; "go run ./ci -only race" runs one step.
package main
