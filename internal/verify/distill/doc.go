// Package distill boils the output of builds, linters and tests down to what is wrong: one Failure for each thing
// that a tool objects to, with its file and line from the repository's root, without colours, times, addresses and
// temporary paths, and with a key that stays the same while the code around it moves.
//
// The text is hostile: it may be megabytes long, binary, full of escape sequences, or made to look like another
// tool's. Reading is linear in its size and bounded in what it keeps; nothing in it is executed,
// opened or believed beyond being shown as a failure.
package distill
