"""Image files of one's own: from folders, archives and tables of labels to decoded pixels."""
