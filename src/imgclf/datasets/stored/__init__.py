"""Arrays in files: read strictly, taken by row, put together to splits."""
