"""What an understood question becomes: Spark SQL, and what each engine makes of it."""
