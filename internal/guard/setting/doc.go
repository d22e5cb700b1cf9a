// Package setting reads configuration files of many formats into flat settings, "a.b.c" = value with its line.
//
// It is tolerant on purpose: it reads hunks that begin in the middle of a file, JSON with comments, and
// JavaScript or Groovy files that hold an object of settings; what it does not understand it leaves out. It is
// no parser to configure a program by. Start with Read.
package setting
