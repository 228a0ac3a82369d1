"""How dates and times are written: what each format reads, and which formats a column's texts call for."""
