// Package internal is the root of Gaggle's packages. It holds no code: its test keeps the floors, the table of
// which package may import which.
package internal
