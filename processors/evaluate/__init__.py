"""How far the records of articles agree with a gold that people annotated: docs/evaluating.md."""
