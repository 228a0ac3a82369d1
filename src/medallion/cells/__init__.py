"""What the texts of cells mean, by the contract of their column: one reader for every engine.

`plain`, with `texts`, `amounts` and `times`, has plain functions from a text to a value, None for a text that cannot be
read; whether that refuses the row is for `medallion.silver.checks` to say. `arrays` reads Arrow arrays with them, and
`time_arrays` the usual forms of times. Only these load pyarrow's kernels.
"""
