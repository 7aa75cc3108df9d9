// Package scale has the promises of budgets and of one pod a node kept on hundreds and thousands of nodes, where nothing is sampled either.
package scale
