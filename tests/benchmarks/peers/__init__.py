"""The same update as others would write it: the work of the product, in the usual stacks, for comparison."""
