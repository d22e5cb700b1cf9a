// Package source reads source code of many languages into what guards compare: tokens, comments, tests with
// their helpers, assertions with their strength, table rows, and the marks that skip or focus a test.
//
// It is no compiler. It knows each language's comments, strings and brackets, where its test runners look, and
// the words of its assertion libraries; from there it works alike for all of them. It never fails: text that it
// does not understand yields fewer units. Every function is linear in its input, and hunks of a file (which
// begin and end anywhere) are read as well as whole files. Start with Read.
package source
