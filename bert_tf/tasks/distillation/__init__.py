"""Distillation of a task model: a student learns the outputs, and the inner vectors, of a trained teacher."""
