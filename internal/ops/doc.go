// Package ops holds every operation once: typed input with Validate, typed output. The faces (commands, HTTP, pages, tools)
// adapt these functions and hold no product logic of their own.
//
// Open wires the floors below to one data folder; its methods are the operations. Nothing here prints.
package ops
