// Package placement proves area B of the catalog: which nodes get a pod, and what the pod is like.
package placement
