// Package panel provides the form in which every simulated service is shown:
// places with messages, the pieces that messages are made of, and what can be
// read, clicked and heard of them.
package panel
