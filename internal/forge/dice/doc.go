// Package dice decides what goes wrong with each call of a forge that is played for tests: by a seed alone, so that a run
// can be repeated, whatever the order in which calls about different things come.
package dice
