// Package pickle reads Python pickles as descriptions. Nothing that a pickle
// names is looked up, imported or called: a call becomes an [Object] that holds
// the callee's name and the arguments, and whoever reads the result decides which
// names mean something. A pickle is hostile input by nature; a program written
// here reads the few opcodes that torch.save and its like write (protocols 2 to 5)
// and refuses the rest.
//
// Memory is bounded by the input: texts are no longer than what is left of it, and
// every opcode makes at most one small value. The values may share parts and may be
// cyclic, so walks over them need a limit of their own.
//
// github.com/nlpodyssey/gopickle was looked at first. It allocates by lengths that
// the input states, before it reads them, and calls constructors while it decodes.
package pickle
