// Package graphtest runs graphs in float64 and checks their gradients by finite differences. Tests use it only.
package graphtest
