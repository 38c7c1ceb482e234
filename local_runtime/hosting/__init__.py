"""What stands in for Lambda: the template, the invoker, and the triggers."""
