// Package git reads and writes repositories through the git program, and is the only package that starts it.
//
// A Store keeps one bare mirror a repository, holding the newest commit of its default branch, and makes
// isolated checkouts from it. Everything an agent touches is a plain folder of files: the git directory that
// reads those files back (index, config, attributes, objects) lies beside the folder, where no sandbox mounts
// it, so nothing that a repository or an agent leaves behind is ever run or believed. Start with Open, then
// Refresh, Checkout, Snapshot, Commit and Push.
//
// Every git process runs without the caller's environment and configuration, without hooks, filters, external
// diffs, submodule recursion and replace refs, and only with the one transport that its URL needs. Secrets reach
// it through a pipe: never through arguments, environment, configuration or error texts.
//
// Several goroutines and several processes may use one folder of mirrors at once. Whatever changes a mirror
// holds its file lock, is built beside the mirror and renamed into place, and cleans up what a killed process left.
package git
