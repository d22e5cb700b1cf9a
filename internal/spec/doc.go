// Package spec reads campaign files (apiVersion gaggle/v1, kind Campaign) and the `.gaggle.yaml` by which a
// repository has its say, and the owners.yaml by which an organisation keeps its owners' time.
//
// Start with Parse, which returns a Campaign of plain structs with every default applied, or Errors: all problems
// of the file at once, each with file, line, column and a hint. One table (campaignFields) says which keys there
// are, how each is read, what it defaults to and what it means; the parser and the JSON Schema (Schema) are two
// readings of that table. CompileWhere turns a campaign's `select.where` into a typed CEL program, CompileMerge the expression
// by which a pull request may be merged without a person.
//
// The YAML that is read is a strict subset: one document, UTF-8, string keys, each key once, no anchors,
// aliases, merge keys or explicit tags. Files may come from anybody, so size, depth and cost are bounded. The package
// does no I/O of its own but for the time zones, which the standard library reads: a script named by a campaign is read
// through the fs.FS that the caller gives.
package spec
