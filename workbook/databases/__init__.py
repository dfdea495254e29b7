"""What `database_card` knows: each section with its rows (SQL) and its sentences."""
