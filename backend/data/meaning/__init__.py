"""What a row means: shapes of files, maps of columns, lessons, records."""
