// Package publish turns a ready diff into a pull request: it makes the commit again from base and diff (the same input
// gives the same commit), pushes it to the campaign's own branch, and opens the pull request with a body that says what was done, how it
// was verified and how to object. Commit and body name an in-toto statement about how the change came about. Whatever is there already is found and adopted, so it may be repeated after a crash
// at any point.
package publish
