// Package search says which components' files match a campaign's `contains` and `files`, without a checkout.
//
// The default branch of each repository is kept as one shard file, named by the branch's tree id: every
// path, the text of the files worth searching (compressed), and for each trigram the files that hold it. A
// tree never changes, so neither does its shard: it is written once, put in place by a rename, shared by
// every process that reads it, and thrown away by Collect when no repository is at that tree any more.
// Nothing in a shard is precious; one that is missing or damaged is made again from git objects.
//
// A Query is compiled once (Compile) and matched against one repository (Index.Match) or the whole fleet
// (Index.Select). A regular expression is first narrowed to the files that hold the trigrams every match
// must hold, and only those are read. Expressions are RE2, so their time is linear in the text; their size,
// each file's size and the memory of a search are bounded too.
//
// What is not searched by content: binary files (a NUL within the first 8,000 bytes), files larger than
// Limits.FileBytes, symbolic links, submodules, and what lies past Limits.TextBytes of one repository. Those
// files still count for `files`, except submodules, and Explain says how many there were.
package search
