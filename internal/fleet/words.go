package fleet

import "fmt"

// Count says how many there are of something whose plural takes a plain s: "1 target", "3 targets".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
