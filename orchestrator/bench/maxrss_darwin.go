package bench

// maxrssPerMiB: getrusage counts bytes here.
const maxrssPerMiB = 1 << 20
