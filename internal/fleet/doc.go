// Package fleet holds Gaggle's nouns: repositories, components, campaigns' targets and attempts, their
// states and the moves allowed between them, money and tokens, reports and verdicts, and the error codes
// that people and machines read.
//
// It imports the standard library only and does no I/O, so every other package can speak its words. Start
// with Component (what a change is made to), Target and State (how far a change has come) and Error (what
// went wrong, and what to do about it).
package fleet
