//go:build !darwin

package bench

// maxrssPerMiB: getrusage counts KiB here.
const maxrssPerMiB = 1 << 10
