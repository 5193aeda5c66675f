// Package plural counts things in words.
package plural

import "fmt"

// Of returns "1 one" or "n many".
func Of[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
