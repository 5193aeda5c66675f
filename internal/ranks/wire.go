package ranks

// Wire carries values between ranks from where they lie to where they are to lie, such as
// from the memory of one device to that of another. Package nccl has one.
type Wire interface {
	// Swap sends and receives at the same time, and returns when all has been sent and has
	// come. What a rank sends to another, the other receives by the same call: as many
	// parts, as long, in the same order. A rank may send to itself.
	Swap(send, receive []Part) error
}

// Part is memory that goes to a rank, or what comes from it is written to.
type Part struct {
	Rank    int
	Address uintptr // of the first value
	Len     int     // float32 values
}
