// Mutate asks whether the tests would notice a fault: it changes the code in one
// place at a time, a condition turned round or a statement left out, and runs the
// package's tests against each change. A change that no test notices is a survivor. Known
// survivors are listed with a reason each in survivors.txt; the program fails on
// every other one, and where a tenth or more of the changes survive.
//
// The changes are a sample: all that are possible, in an order drawn by the seed
// and the place in the code, from the first on. Code that is left alone keeps its
// place in that order, so the sample hardly moves from one commit to the next.
//
// Most mutants of a package are compiled into one program of its tests, in which an
// environment variable chooses one. Those that do not go together with the others,
// because of their types or since they do not compile at all, are compiled alone.
// Nothing of the tree is written to or copied: the compiler is given the changed
// files by -overlay. What does not compile is not counted, nor is what the compiler
// makes the same code of.
//
// The tests run with -short and stop at the first that fails. They are given four
// times the processor's time that they take without a change.
package main
