// Package local is the embedded forge: pull requests as files in the data folder, merges on repositories of this machine.
//
// A repository whose clone URL is a path on this machine is served where it lies; any other gets a bare copy in the
// data folder on first use. Each repository's pull requests lie in a folder of their own, under a file lock, one file
// each, written whole and renamed into place, so any number of processes may use it and any of them may be killed at
// any point. A merge is written down before it becomes visible, so that whoever comes next knows whether it did.
package local
