// Package nvidia asks the NVIDIA driver of the machine, where there is one, what it and
// its GPUs are. Nothing of NVIDIA's is needed to build it: the driver's libraries are
// opened by name.
package nvidia
