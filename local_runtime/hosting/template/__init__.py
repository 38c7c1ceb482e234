"""Reads the AWS SAM template into the manifest: a closed world, where what is not understood stops the start."""

from local_runtime.hosting.template.reader import read_template
from local_runtime.hosting.template.tree import Problem, RefusedParameters, TemplateProblems

__all__ = ["Problem", "RefusedParameters", "TemplateProblems", "read_template"]
