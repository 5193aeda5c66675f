// Package score counts a model's predictions against labels ([Evaluate],
// [Confusion]) by the rules of the official Cityscapes scripts, and keeps the
// scores ([Result]).
package score
